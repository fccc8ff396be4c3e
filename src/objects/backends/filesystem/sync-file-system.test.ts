import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import type { CommitJob } from './commit-protocol.ts';
import { CommitWork } from './commit-work.ts';
import { Layout } from './layout.ts';
import { type Syncfs, WholeFlushes, loadSyncfs, wholeFlushFilesMin } from './sync-file-system.ts';

const EIO = 5;
const EBADF = 9;

describe('the flush of a whole file system', () => {
  it('is used only where the kernel tells of what could not be written', async () => {
    assert.equal(await loadSyncfs('darwin', '23.1.0'), null);
    for (const kernel of ['2.6.39', '4.19.0-26-amd64', '5.7.19', 'unknown']) {
      assert.equal(await loadSyncfs('linux', kernel), null, kernel);
    }
  });

  it('is the call of the system', { skip: process.platform !== 'linux' }, async () => {
    const syncfs = await loadSyncfs('linux', '5.8.0-1-generic');
    assert.ok(syncfs !== null);
    await using directory = await temporaryDirectory();
    const fd = openSync(directory.path, 'r');
    assert.equal(await syncfs(fd), 0);
    closeSync(fd);
    assert.equal(await syncfs(fd), EBADF);
  });

  it('is not used on a file system that may answer before the disk has everything', async () => {
    const tmpfs = '/dev/shm';
    assert.equal(statfsSync(tmpfs).type, 0x01021994, 'a tmpfs');
    assert.equal(await new WholeFlushes(async () => async () => 0).begin(tmpfs), null);
  });

  it('of a batch comes when all is written and nothing has its name, and each batch has its own descriptor', async () => {
    await using directory = await temporaryDirectory();
    const layout = laidOut(directory.path);
    const fds = new Set<number>();
    const seen: number[][] = [];
    const both = Promise.withResolvers<void>();
    const work = workOn(layout, async (fd) => {
      fds.add(fd);
      seen.push([readdirSync(layout.temporary).length, readdirSync(layout.blobs).length]);
      if (fds.size === 2) both.resolve();
      await both.promise;
      return 0;
    });
    const replies = await Promise.all([work.run(batch('a')), work.run(batch('b'))]);
    assert.equal(fds.size, 2);
    assert.deepEqual(seen.at(-1), [2 * wholeFlushFilesMin, 0]);
    for (const { result } of replies.flat()) assert.equal(result, 'done');
    assert.deepEqual(left(layout), { temporary: 0, blobs: 2 * wholeFlushFilesMin });
  });

  it('that fails lets nothing of its batch stand', async () => {
    await using directory = await temporaryDirectory();
    const layout = laidOut(directory.path);
    const replies = await workOn(layout, async () => EIO).run(batch('a'));
    for (const { result } of replies) {
      assert.ok(typeof result !== 'string');
      assert.deepEqual([result.code, result.isUnknown], ['EIO', false]);
    }
    assert.deepEqual(left(layout), { temporary: 0, blobs: 0 });
  });

  it('is not asked for by a batch of few, nor where there is none', async () => {
    await using directory = await temporaryDirectory();
    const layout = laidOut(directory.path);
    const few = workOn(layout, async () => EIO);
    for (const { result } of await few.run(batch('a', wholeFlushFilesMin - 1))) assert.equal(result, 'done');
    const without = new CommitWork(layout, '0', new WholeFlushes(async () => null));
    for (const { result } of await without.run(batch('b'))) assert.equal(result, 'done');
    assert.deepEqual(left(layout), { temporary: 0, blobs: 2 * wholeFlushFilesMin - 1 });
  });
});

function laidOut(path: string): Layout {
  const layout = new Layout(join(path, 'disk'));
  for (const each of [layout.directory, layout.blobs, layout.temporary]) mkdirSync(each);
  writeFileSync(layout.marker, '0');
  return layout;
}

/** With this call in place of the system's, on any file system. */
function workOn(layout: Layout, syncfs: Syncfs): CommitWork {
  const flushes = new WholeFlushes(
    async () => syncfs,
    () => true,
  );
  return new CommitWork(layout, '0', flushes);
}

function batch(name: string, count = wholeFlushFilesMin) {
  const jobs = Array.from({ length: count }, (_, index): CommitJob => {
    const file = `${name}${index}`;
    return { id: index, directories: [], file, verb: 'write', temporary: file, offset: index, length: 1 };
  });
  return { jobs, bytes: new Uint8Array(count).fill(7) };
}

function left(layout: Layout) {
  return { temporary: readdirSync(layout.temporary).length, blobs: readdirSync(layout.blobs).length };
}
