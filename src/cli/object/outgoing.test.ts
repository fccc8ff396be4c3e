import assert from 'node:assert/strict';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { exactly, fileChunks } from './outgoing.ts';

async function* streamOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

/** What came, and the error that ended it. */
async function collect(chunks: AsyncIterable<Buffer>): Promise<{ bytes: Buffer; error: Error | null }> {
  const all: Buffer[] = [];
  try {
    for await (const chunk of chunks) all.push(chunk);
    return { bytes: Buffer.concat(all), error: null };
  } catch (error) {
    return { bytes: Buffer.concat(all), error: error as Error };
  }
}

describe('a stream that is said to be so long', () => {
  test('gives all of it when it is, and never so many bytes when it is not', async () => {
    const chunks = fc.array(
      fc.uint8Array({ maxLength: 10 }).map((bytes) => Buffer.from(bytes)),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(chunks, fc.nat({ max: 40 }), async (all, sizeBytes) => {
        const whole = Buffer.concat(all);
        const { bytes, error } = await collect(exactly(streamOf(all), sizeBytes));
        if (whole.length === sizeBytes) {
          assert.equal(error, null);
          assert.deepEqual(bytes, whole);
        } else {
          assert.match(error!.message, /not as long as it was said to be/);
          assert.ok(sizeBytes === 0 ? bytes.length === 0 : bytes.length < sizeBytes, `${bytes.length} of ${sizeBytes}`);
        }
      }),
    );
  });
});

describe('a file that is sent', () => {
  test('comes in chunks of a bounded size, as long as it was at first', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'file');
    const content = Buffer.alloc(1_000_000, 'abcdefg');
    await writeFile(path, content);
    await using handle = await open(path);
    let largest = 0;
    const chunks: Buffer[] = [];
    for await (const chunk of fileChunks(handle, 900_000, path)) {
      largest = Math.max(largest, chunk.length);
      chunks.push(chunk);
    }
    assert.deepEqual(Buffer.concat(chunks), content.subarray(0, 900_000));
    assert.ok(largest <= 262_144);
  });

  test('is a conflict when it becomes shorter', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'file');
    await writeFile(path, Buffer.alloc(600_000));
    await using handle = await open(path);
    const chunks = fileChunks(handle, 600_000, path);
    assert.equal((await chunks.next()).value?.length, 262_144);
    await truncate(path, 300_000);
    const { bytes, error } = await collect(chunks);
    assert.match(error!.message, /was changed while it was read/);
    assert.equal(bytes.length, 300_000 - 262_144);
  });
});
