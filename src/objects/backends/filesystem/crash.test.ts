import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { bytesOf } from '../conformance/sources.ts';
import { assertSameBytes, collect } from '../conformance/suite.ts';
import { blobFiles, inTime, openFilesystem, temporaryFiles } from './testkit.ts';

const KILLS = 12;
describe('the filesystem backend killed at any point (failures 1 and 8)', () => {
  // The last is longer than a put takes, in ms, so that kills fall within each of its steps.
  for (const [what, sizeBytes, writers, putMs, patience] of [
    ['small blobs', 4096, 4, 8, 'prompt'],
    ['small blobs, many at once', 4096, 48, 50, 'prompt'],
    ['small blobs that nobody waits for', 4096, 64, 50, 'background'],
    ['streams', 3_000_000, 4, 8, 'prompt'],
  ] as const) {
    it(
      `keeps all of what it acknowledged, and of the rest all or nothing: ${what}`,
      { timeout: 120_000 },
      async (t) => {
        await using temporary = await temporaryDirectory();
        let [acknowledged, cutOff, leftOver] = [0, 0, 0];
        for (let kill = 0; kill < KILLS; kill++) {
          const keys = await killWhilePutting(temporary.path, { sizeBytes, writers, putMs, patience });
          leftOver += (await temporaryFiles(temporary.path)).length;
          const backend = openFilesystem(temporary.path);
          for (const [key, isDone] of keys) {
            const opened = await backend.get(key, null, inTime());
            assert.ok(opened !== null || !isDone, `${key} was acknowledged`);
            if (opened !== null) assertSameBytes(await collect(opened.content), bytesOf(sizeBytes, key));
            if (isDone) acknowledged++;
            else cutOff++;
            await backend.delete(key, inTime());
          }
          assert.deepEqual(await temporaryFiles(temporary.path), [], 'what the dead left is swept');
          assert.deepEqual(await blobFiles(temporary.path), []);
          await backend.close();
        }
        t.diagnostic(`${acknowledged} acknowledged, ${cutOff} cut off, ${leftOver} temporary files left`);
        assert.ok(acknowledged > 0 && cutOff > 0 && leftOver > 0, 'kills fell within puts');
      },
    );
  }
});

interface Writing {
  readonly sizeBytes: number;
  readonly writers: number;
  readonly putMs: number;
  readonly patience: 'prompt' | 'background';
}

/** Kills a process that is at work. Gives the keys that it had begun, and whether it had acknowledged them. */
async function killWhilePutting(
  directory: string,
  { sizeBytes, writers, putMs, patience }: Writing,
): Promise<Map<string, boolean>> {
  const fixture = fileURLToPath(new URL('./crash.fixture.ts', import.meta.url));
  const args = ['--no-warnings', fixture, directory, String(sizeBytes), String(writers), patience];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const keys = new Map<string, boolean>();
  let killing: Promise<void> | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const { key, isDone } = JSON.parse(line) as { key: string; isDone: boolean };
    keys.set(key, isDone);
    if (isDone) killing ??= delay(Math.random() * putMs).then(() => void child.kill('SIGKILL'));
  }
  const [code, signal] = (await exit) as [number | null, string | null];
  await killing;
  assert.equal(signal, 'SIGKILL', `the process ended by itself with ${code}`);
  return keys;
}
