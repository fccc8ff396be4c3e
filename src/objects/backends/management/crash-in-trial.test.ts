import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import type { ObjectBackend } from '../backend.ts';
import { inTime, openFilesystem, putBytes } from '../filesystem/testkit.ts';
import { MemoryObjectBackend } from '../memory/memory.ts';
import { probeBackend, probeKey, probePrefix } from './probe.ts';
import { requireWorking } from './trial.ts';

const fixture = join(import.meta.dirname, 'crash-in-trial.fixture.ts');
const hourMs = 3_600_000;

async function keysOn(backend: ObjectBackend): Promise<string[]> {
  const { blobs } = await backend.list({ prefix: '', limit: 1_000 }, inTime());
  return blobs.map(({ key }) => key);
}

describe('a trial of a backend', () => {
  for (const place of ['own', 'other']) {
    test(`that was killed in the middle (${place}) leaves nothing for longer than to the next one`, async () => {
      await using directory = await temporaryDirectory();
      const child = spawn(process.execPath, ['--no-warnings', fixture, directory.path, place], { stdio: 'inherit' });
      assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
      const backend = openFilesystem(directory.path);
      const [left, ...more] = await keysOn(backend);
      assert.ok(left?.startsWith(probePrefix) === true && more.length === 0, `${left}`);
      await putBytes(backend, 'photos/of-somebody', Buffer.from('stays'));

      await requireWorking(backend, 'disk', '', Date.now());
      assert.deepEqual(
        await keysOn(backend),
        [left, 'photos/of-somebody'],
        'it may be one that is under way elsewhere',
      );
      await requireWorking(backend, 'disk', '', Date.now() + 2 * hourMs);
      assert.deepEqual(await keysOn(backend), ['photos/of-somebody']);
      await backend.close();
    });
  }

  test('takes no other for left over while one of the clocks says that it is young, nor what others put there', async () => {
    const nowMs = Date.now();
    const backend = new MemoryObjectBackend();
    const [slow, old, foreign] = [
      probeKey(nowMs - hourMs / 2),
      probeKey(nowMs - 2 * hourMs),
      `${probePrefix}1-by-hand`,
    ];
    const former = `${probePrefix}${randomUUID()}`;
    for (const key of [slow, old, foreign, former]) {
      await putBytes(backend, key, Buffer.from('x'));
      backend.blobs.set(key, { ...backend.blobs.get(key)!, modifiedAtMs: nowMs - 3 * hourMs });
    }
    const young = probeKey(nowMs - 2 * hourMs);
    await putBytes(backend, young, Buffer.from('x'));
    await probeBackend(backend, inTime(), nowMs);
    assert.deepEqual((await keysOn(backend)).toSorted(), [slow, young, foreign].toSorted());
  });
});
