import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

const bin = join(import.meta.dirname, '../../bin/holdfast.js');

test('holdfast csi listens for its owner alone, also where another was killed, and ends when it is asked to', async () => {
  await using directory = await temporaryDirectory();
  const socket = join(directory.path, 'csi.sock');
  const start = async () => {
    const args = ['csi', '--endpoint', `unix://${socket}`, '--mode', 'node', '--node-id', 'n1'];
    const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await until('the driver is ready', () => text.includes('csi is ready') && existsSync(socket));
    return { child, ended };
  };
  const first = await start();
  assert.equal((await stat(socket)).mode & 0o777, 0o600);
  first.child.kill('SIGKILL');
  await first.ended;
  assert.ok(existsSync(socket), 'a killed process leaves its socket');
  const second = await start();
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
});
