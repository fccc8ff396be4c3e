import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { ODD_BYTES, at, isKind, newVolume, reading } from '../conformance/suite.ts';
import { CRASH_STEPS, type CrashRound } from './crash-steps.ts';
import { createFileBackend } from './file.ts';

const KILLS = 42;
/** Longer than most steps take, so that kills fall within a step and between two. */
const STEP_MS = 6;

describe('the file backend killed at any point', () => {
  it(`finishes by a repeat what was cut off, ${KILLS} times`, { timeout: 200_000 }, async (t) => {
    await using temporary = await temporaryDirectory();
    const cutAt = new Map<string, number>();
    for (let kill = 0; kill < KILLS; kill++) {
      const cut = await killDuring(temporary.path, kill % CRASH_STEPS.length);
      const name = CRASH_STEPS[cut.index]!.name;
      cutAt.set(name, (cutAt.get(name) ?? 0) + 1);
      // A new instance has nothing in memory, as after a restart.
      const backend = createFileBackend({ directory: temporary.path });
      for (const step of CRASH_STEPS.slice(cut.index)) {
        await step.run(backend, cut.round);
        await step.check(backend, cut.round);
      }
      assert.deepEqual(await backend.list(reading(), { limit: 10 }), []);
    }
    for (const folder of ['images', 'snapshots', 'trash', 'tmp']) {
      assert.deepEqual(await readdir(join(temporary.path, folder)), [], `nothing is left in ${folder}`);
    }
    t.diagnostic([...cutAt].map(([name, count]) => `${name}: ${count}`).join(', '));
  });

  it('knows a create that was cut off for incomplete, lists it, and completes it', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const volume = newVolume({ sizeBytes: ODD_BYTES });
    await backend.health(reading().signal);
    const creating = { sizeBytes: String(ODD_BYTES) };
    const record = { format: 1, volumeId: volume.volumeId, name: volume.name, fence: 1, creating, attachment: null };
    await writeFile(join(temporary.path, 'images', `${volume.image}.json`), JSON.stringify(record));
    for (let look = 0; look < 2; look++) {
      const facts = await backend.inspect(reading(), volume.image);
      assert.deepEqual([facts?.complete, facts?.volumeId, facts?.place], [false, volume.volumeId, 'live']);
      assert.deepEqual(await backend.list(reading(), { limit: 10 }), [facts]);
    }
    await assert.rejects(backend.create(at(), newVolume({ image: volume.image })), isKind('conflict'));
    await assert.rejects(backend.resize(at(), volume.image, 1n << 30n), isKind('conflict'));
    await backend.trash(at(), volume.image);
    assert.equal((await backend.inspect(reading(), volume.image))?.place, 'trash');
    await backend.restore(at(), volume.image);
    const completed = await backend.create(at(), volume);
    assert.deepEqual([completed.complete, completed.sizeBytes], [true, ODD_BYTES]);
  });

  it('removes what a killed copy has left, with the next copy or with the image', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const { image } = await backend.create(at(), newVolume());
    const other = await backend.create(at(), newVolume());
    const leave = (name: string) => writeFile(join(temporary.path, 'tmp', `${name}~left`), 'half a copy');
    await leave(image);
    await leave(other.image);
    await backend.createSnapshot(at(), image, 's1');
    assert.deepEqual(await readdir(join(temporary.path, 'tmp')), [`${other.image}~left`]);
    await backend.purge(at(), other.image);
    assert.deepEqual(await readdir(join(temporary.path, 'tmp')), []);
  });

  it('follows the file when a move was cut off before the record', async () => {
    await using temporary = await temporaryDirectory();
    const backend = createFileBackend({ directory: temporary.path });
    const { image, volumeId } = await backend.create(at(7), newVolume());
    const [images, trash] = [join(temporary.path, 'images'), join(temporary.path, 'trash')];
    await rename(join(images, `${image}.img`), join(trash, `${image}.img`));
    const facts = await backend.inspect(reading(), image);
    assert.deepEqual([facts?.place, facts?.volumeId], ['trash', volumeId]);
    assert.deepEqual(await backend.list(reading(), { limit: 10 }), []);
    await assert.rejects(backend.trash(at(6), image), isKind('conflict', { reason: 'stale_fence' }));
    await backend.trash(at(7), image);
    assert.deepEqual(await readdir(trash), [`${image}.img`, `${image}.json`]);
    assert.deepEqual(await readdir(images), []);
  });
});

/** Kills a process that is at work, some time into the step of this index. Gives the step that it had begun last. */
async function killDuring(directory: string, wanted: number): Promise<{ index: number; round: CrashRound }> {
  const fixture = fileURLToPath(new URL('./crash.fixture.ts', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', fixture, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  let last: { index: number; round: CrashRound } | null = null;
  let killing: Promise<void> | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line) as { index: number; round: CrashRound };
    if (last.index === wanted) killing ??= killLater(child);
  }
  const [code, signal] = (await exit) as [number | null, string | null];
  await killing;
  assert.equal(signal, 'SIGKILL', `the process ended by itself with ${code}`);
  assert.ok(last !== null);
  return last;
}

async function killLater(child: ChildProcess): Promise<void> {
  await delay(Math.random() * STEP_MS);
  child.kill('SIGKILL');
}
