import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { bytesOf } from '../conformance/sources.ts';
import { fileSystemFlush } from './file-system-flush.ts';
import { blobFiles, inTime, openFilesystem } from './testkit.ts';

const ext4 = 0xef53;
const memory = '/dev/shm';
const blobs = 300;

describe('the flush of a whole file system', () => {
  it('has on the disk what was written, and leaves nothing open', async (t) => {
    if (!canTell()) return t.skip(how);
    await using temporary = await temporaryDirectory();
    const file = join(temporary.path, 'a');
    const end = fileSystemFlush()(temporary.path);
    assert.equal(opened(temporary.path), 1);
    writeFileSync(file, bytesOf(5_000));
    assert.equal(isWaiting([file]), true);
    assert.equal(await end?.(), true);
    assert.equal(isWaiting([file]), false);
    assert.equal(opened(temporary.path), 0);
  });

  it('is not made where it may mean nothing', () => {
    const begin = fileSystemFlush();
    for (const path of [memory, '/proc', '/nowhere']) assert.equal(begin(path), null, path);
  });

  it('is what many blobs at once share that no client waits for', async (t) => {
    if (!canTell()) return t.skip(how);
    await using temporary = await temporaryDirectory();
    await putMany(temporary.path);
    const files = await blobFiles(temporary.path);
    assert.deepEqual([files.length, isWaiting(files)], [blobs, false]);
  });

  it('is not needed for them', async (t) => {
    if (!existsSync(memory)) return t.skip(`${memory} is not there`);
    await using temporary = await temporaryDirectory('holdfast-', memory);
    await putMany(temporary.path);
  });
});

/** Puts blobs in the background, all at once, and reads them with a backend that has just been opened. */
async function putMany(path: string): Promise<void> {
  const backend = openFilesystem(path);
  const keys = Array.from({ length: blobs }, (_, index) => `b/${index}`);
  const put = (key: string) =>
    backend.put(key, bytesOf(5_000, key), { sizeBytes: 5_000, signal: inTime(), isBackground: true });
  await Promise.all(keys.map(put));
  await backend.close();
  const again = openFilesystem(path);
  for (const key of keys) assert.deepEqual((await again.get(key, null, inTime()))?.content, bytesOf(5_000, key));
  await again.close();
}

const how = 'the temporary directory is not on ext4, or e2fsprogs are not installed; set TMPDIR';

function canTell(): boolean {
  return statfsSync(tmpdir()).type === ext4 && spawnSync('filefrag', ['-V']).status === 0;
}

/** Whether any of the files has bytes that have no place on the disk yet: ext4 gives them one when it writes them. */
function isWaiting(files: readonly string[]): boolean {
  return execFileSync('filefrag', ['-v', ...files], { encoding: 'utf8' }).includes('delalloc');
}

/** How many descriptors of this process lead to a path. */
function opened(path: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link === path).length;
}
