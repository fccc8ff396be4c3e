import assert from 'node:assert/strict';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { MIB, bytesOf, chunked } from '../conformance/sources.ts';
import { FlushAhead, writeStream } from './stream-write.ts';

const sizeBytes = 40 * MIB;

describe('a stream on its way to the disk', () => {
  it('is flushed while it is still being written, one flush of a file at a time', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'file');
    const bytes = bytesOf(sizeBytes);
    const sizes: number[] = [];
    let [running, most] = [0, 0];
    const ahead = new FlushAhead(async () => {
      most = Math.max(most, ++running);
      sizes.push((await stat(path)).size);
      running--;
    });
    await writeStream(path, chunked(bytes, [262_144]), ahead);
    assert.ok(bytes.equals(await readFile(path)));
    assert.ok(sizes.length >= 1 && sizes[0]! < sizeBytes, `flushed at ${sizes.join()} bytes`);
    assert.equal(most, 1);
  });

  it('fails when such a flush did, though later ones say that all is well, and leaves nothing', async () => {
    await using directory = await temporaryDirectory();
    let flushes = 0;
    const ahead = new FlushAhead(async () => {
      if (++flushes === 1) throw Object.assign(new Error('EIO: the disk is broken'), { code: 'EIO' });
    });
    const writing = writeStream(join(directory.path, 'file'), chunked(bytesOf(sizeBytes), [262_144]), ahead);
    await assert.rejects(writing, { code: 'EIO' });
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('shares the disk: few are flushed ahead at once', async () => {
    const held = Promise.withResolvers<void>();
    const ahead = new FlushAhead(() => held.promise);
    const [first, second] = [ahead.begin(1), ahead.begin(2)];
    assert.ok(first !== null && second !== null);
    assert.equal(ahead.begin(3), null);
    held.resolve();
    await Promise.all([first, second]);
    assert.notEqual(ahead.begin(3), null);
  });
});
