import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { type Content, chunksOf } from '../content/content.ts';
import type { Copy } from '../object.ts';
import { ContentCache } from './cache.ts';

function copyOf(contentId: string, bytes: Buffer): Copy {
  const rest = { part: 1, backend: 'b', storageKey: 'k', sizeBytes: bytes.length, crc32: crc32(bytes) };
  return { contentId, storedBytes: bytes.length, form: null, ...rest };
}

/** A read of all of a content, as the gateway does it; gives whether it was told from memory. */
async function read(cache: ContentCache, copy: Copy, content: Content): Promise<boolean> {
  if (cache.find([copy], null) !== null) return true;
  const open = cache.keep(copy, { content, cancel: () => {} });
  for await (const chunk of chunksOf(open.content)) void chunk;
  return false;
}

const bytes = Buffer.from('what was written');

describe('the cache of contents', () => {
  test('keeps what is read a second time, and gives all of it or a range', async () => {
    const cache = new ContentCache({ bytesMax: 10_000 });
    const copy = copyOf('c', bytes);
    assert.equal(await read(cache, copy, bytes), false);
    assert.equal(await read(cache, copy, bytes), false);
    assert.equal(await read(cache, copy, bytes), true);
    assert.deepEqual(cache.find([copy], { offset: 5, length: 3 }), Buffer.from('was'));
    assert.equal(cache.find([{ ...copy, contentId: 'd' }], null), null);
    assert.equal(cache.find([{ ...copy, part: 2 }], null), null);
    assert.equal(cache.find([], null), null);
    assert.deepEqual([cache.hits, cache.misses], [2, 4]);
  });

  test('keeps a stream when it ended, and nothing of one that broke or that nobody read to its end', async () => {
    async function* chunks(isBroken: boolean): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 5);
      if (isBroken) throw new Error('broken');
      yield bytes.subarray(5);
    }
    const cache = new ContentCache({ bytesMax: 10_000 });
    const copy = copyOf('c', bytes);
    await read(cache, copy, chunks(false));
    await assert.rejects(read(cache, copy, chunks(true)), /broken/);
    assert.equal(cache.bytes, 0);
    await read(cache, copy, chunks(false));
    const left = cache.keep(copy, { content: chunks(false), cancel: () => {} });
    for await (const chunk of chunksOf(left.content)) if (chunk.length > 0) break;
    assert.equal(cache.bytes, 0);
    await read(cache, copy, chunks(false));
    await read(cache, copy, chunks(false));
    assert.deepEqual(cache.find([copy], null), bytes);
  });

  test('has bytes of its own, which a buffer that is used again does not change', async () => {
    const cache = new ContentCache({ bytesMax: 10_000 });
    const reused = Buffer.from(bytes);
    const copy = copyOf('c', bytes);
    for (let time = 0; time < 2; time++) await read(cache, copy, reused);
    reused.fill(0);
    assert.deepEqual(cache.find([copy], null), bytes);
  });

  test('never keeps what is large, what is encrypted, nor anything other than what the ledger tells of', async () => {
    const cache = new ContentCache({ bytesMax: 1_000_000, contentBytesMax: 100 });
    const large = copyOf('large', Buffer.alloc(101));
    const sealed = { ...copyOf('sealed', bytes), form: { sealed: { key: 'x' } } } as unknown as Copy;
    const short = { ...copyOf('short', bytes), sizeBytes: 99 };
    for (let time = 0; time < 4; time++) {
      assert.equal(await read(cache, large, Buffer.alloc(101)), false);
      assert.equal(await read(cache, sealed, bytes), false);
      assert.equal(await read(cache, short, bytes), false);
    }
    assert.equal(cache.bytes, 0);
    const packed = { ...copyOf('packed', bytes), form: { sealed: null } } as unknown as Copy;
    for (let time = 0; time < 2; time++) await read(cache, packed, bytes);
    assert.equal(await read(cache, packed, bytes), true, 'what is only compressed is no secret');
  });

  test('is not driven out by a scan of everything', async () => {
    const cache = new ContentCache({ bytesMax: 5_000 });
    const often = copyOf('often', bytes);
    for (let time = 0; time < 2; time++) await read(cache, often, bytes);
    for (let number = 0; number < 2_000; number++) await read(cache, copyOf(`scan-${number}`, bytes), bytes);
    assert.equal(await read(cache, often, bytes), true);
  });

  test('whatever is read: bounds hold, and what is told is what was written', async () => {
    const reads = fc.array(fc.tuple(fc.nat(12), fc.boolean()), { maxLength: 150 });
    await fc.assert(
      fc.asyncProperty(reads, fc.integer({ min: 0, max: 3_000 }), async (wanted, bytesMax) => {
        const cache = new ContentCache({ bytesMax });
        for (const [number, isRange] of wanted) {
          const own = Buffer.alloc(number * 100, number);
          const copy = copyOf(`c${number}`, own);
          if (!isRange) await read(cache, copy, own);
          const range = { offset: number * 10, length: number * 20 };
          const part = cache.find([copy], isRange ? range : null);
          if (part !== null) assert.ok(part.equals(isRange ? own.subarray(number * 10, number * 30) : own));
          assert.ok(cache.bytes <= bytesMax, `${cache.bytes} of ${bytesMax}`);
        }
      }),
      { numRuns: 100 },
    );
  });
});
