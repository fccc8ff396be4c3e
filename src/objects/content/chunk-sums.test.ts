import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import {
  ChunkSums,
  chunkBytesFor,
  draftSums,
  summedChunksFor,
  sumsOf,
  verifiedBuffer,
  verifiedChunks,
} from './chunk-sums.ts';
import type { SumsForm } from './form.ts';

const chunkBytes = 16;
const bad = (reason: string) => new Error(`bad: ${reason}`);

/** Cuts at random places, as a network does. */
async function* cut(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const length of lengths) {
    if (at < bytes.length) yield bytes.subarray(at, at + length);
    at += length;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

function sumsIn(bytes: Buffer): SumsForm {
  const sums = new ChunkSums(chunkBytes);
  sums.add(bytes);
  return sums.finish();
}

/** What came before the error, if there was one. */
async function given(source: AsyncIterable<Buffer>): Promise<{ bytes: Buffer; error: string | null }> {
  const pieces: Buffer[] = [];
  let error: string | null = null;
  try {
    for await (const piece of source) pieces.push(piece);
  } catch (thrown) {
    error = (thrown as Error).message;
  }
  return { bytes: Buffer.concat(pieces), error };
}

const contents = fc.uint8Array({ minLength: 1, maxLength: 5 * chunkBytes }).map((bytes) => Buffer.from(bytes));
const cuts = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 });
const ranges = fc.tuple(contents, fc.nat(), fc.nat()).map(([bytes, one, other]) => {
  const offset = one % bytes.length;
  return { bytes, range: { offset, length: 1 + (other % (bytes.length - offset)) } };
});

describe('the chunks of a plain body', () => {
  test('are never more than can be listed, and never so long that one cannot be held in memory', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 * 1024 ** 3 }), (sizeBytes) => {
        const bytes = chunkBytesFor(sizeBytes);
        assert.ok(Math.ceil(sizeBytes / bytes) <= 1_024);
        assert.ok(bytes === 262_144 || Math.ceil(sizeBytes / (bytes / 2)) > 1_024);
        assert.ok(bytes <= 8 * 1024 ** 2);
        assert.equal(draftSums(sizeBytes)?.crc32s.length ?? 1, Math.ceil(sizeBytes / bytes));
      }),
    );
    assert.equal(draftSums(262_144), null);
    assert.equal(draftSums(262_145)!.crc32s.length, 2);
  });

  test('have the same checksums however the bytes came', () => {
    fc.assert(
      fc.property(contents, cuts, (bytes, lengths) => {
        const sums = new ChunkSums(chunkBytes);
        let at = 0;
        for (const length of lengths) sums.add(bytes.subarray(at, (at += length)));
        sums.add(bytes.subarray(at));
        const { crc32s } = sums.finish();
        const wanted = [];
        for (let from = 0; from < bytes.length; from += chunkBytes) {
          wanted.push(crc32(bytes.subarray(from, from + chunkBytes)));
        }
        assert.deepEqual(crc32s, wanted);
      }),
    );
    const bytes = randomBytes(700_000);
    const sums = new ChunkSums(262_144);
    sums.add(bytes);
    assert.deepEqual(sumsOf(bytes), sums.finish());
  });

  test('that a range lies in are read, and no others', () => {
    fc.assert(
      fc.property(ranges, ({ bytes, range }) => {
        const { first, body, skipBytes } = summedChunksFor(sumsIn(bytes), bytes.length, range);
        assert.equal(body.offset, first * chunkBytes);
        assert.equal(body.offset + skipBytes, range.offset);
        assert.ok(skipBytes < chunkBytes);
        const end = body.offset + body.length;
        assert.ok(end === bytes.length || end % chunkBytes === 0);
        assert.ok(end >= range.offset + range.length && end - chunkBytes < range.offset + range.length);
      }),
    );
  });

  test('come out as they were, however they came', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, cuts, async ({ bytes, range }, lengths) => {
        const sums = sumsIn(bytes);
        const span = summedChunksFor(sums, bytes.length, range);
        const needed = bytes.subarray(span.body.offset, span.body.offset + span.body.length);
        assert.deepEqual(await given(verifiedChunks(cut(needed, lengths), sums, span, bad)), {
          bytes: needed,
          error: null,
        });
        assert.equal(verifiedBuffer(needed, sums, span, bad), needed);
      }),
    );
  });

  test('are not given out when a byte of them was changed: those before it are, and the error names the chunk', async () => {
    await fc.assert(
      fc.asyncProperty(
        ranges,
        cuts,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async ({ bytes, range }, lengths, at, by) => {
          const sums = sumsIn(bytes);
          const span = summedChunksFor(sums, bytes.length, range);
          const needed = Buffer.from(bytes.subarray(span.body.offset, span.body.offset + span.body.length));
          needed[at % needed.length]! ^= by;
          const before = Math.floor((at % needed.length) / chunkBytes);
          const index = span.first + before;
          const reason = sums.crc32s.length === 1 ? 'its checksum is wrong' : `chunk ${index} of it was changed`;
          const came = await given(verifiedChunks(cut(needed, lengths), sums, span, bad));
          assert.deepEqual(came, { bytes: needed.subarray(0, before * chunkBytes), error: `bad: ${reason}` });
          assert.throws(() => verifiedBuffer(needed, sums, span, bad), { message: `bad: ${reason}` });
        },
      ),
    );
  });

  test('are refused when there are too few bytes, or too many', async () => {
    const bytes = randomBytes(3 * chunkBytes + 1);
    const sums = sumsIn(bytes);
    const span = summedChunksFor(sums, bytes.length, { offset: 0, length: bytes.length });
    for (const [came, error] of [
      [bytes.subarray(0, -1), 'bad: too few bytes came'],
      [bytes.subarray(0, chunkBytes), 'bad: too few bytes came'],
      [Buffer.concat([bytes, Buffer.alloc(1)]), 'bad: too many bytes came'],
    ] as const) {
      assert.equal((await given(verifiedChunks(cut(came, [5, 5]), sums, span, bad))).error, error);
      assert.throws(() => verifiedBuffer(came, sums, span, bad), /bad: too few bytes came/);
    }
  });
});
