import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type ChunkLayout,
  chunksFor,
  openBuffer,
  openChunks,
  sealBuffer,
  sealChunks,
  sealedBytes,
  tagBytes,
} from './chunks.ts';

const chunkBytes = 64;
const key = randomBytes(32);
const bad = (reason: string) => new Error(`bad: ${reason}`);

function layoutOf(sizeBytes: number, more: Partial<ChunkLayout> = {}): ChunkLayout {
  return { key, contentId: 'c-1', part: 1, chunkBytes, sizeBytes, ...more };
}

/** Cuts at random places, as a network does. */
async function* cut(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const length of lengths) {
    if (at < bytes.length) yield bytes.subarray(at, at + length);
    at += length;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

const contents = fc.uint8Array({ maxLength: 5 * chunkBytes }).map((bytes) => Buffer.from(bytes));
const cuts = fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 12 });
const whole = (layout: ChunkLayout) => chunksFor(layout, { offset: 0, length: layout.sizeBytes });

describe('a content encrypted in chunks', () => {
  test('is what it was, however it came, and as long as was said before', async () => {
    await fc.assert(
      fc.asyncProperty(contents, cuts, cuts, async (plain, one, other) => {
        const layout = layoutOf(plain.length);
        const sealed = await collect(sealChunks(cut(plain, one), layout));
        assert.deepEqual(sealed, sealBuffer(plain, layout));
        assert.equal(sealed.length, sealedBytes(layout));
        assert.deepEqual(await collect(openChunks(cut(sealed, other), layout, whole(layout), bad)), plain);
        assert.deepEqual(openBuffer(sealed, layout, whole(layout), bad), plain);
      }),
    );
  });

  test('gives every range of it from the chunks that it lies in, and from no others', async () => {
    const ranges = fc.tuple(contents, fc.nat(), fc.nat()).filter(([plain]) => plain.length > 0);
    await fc.assert(
      fc.asyncProperty(ranges, async ([plain, a, b]) => {
        const layout = layoutOf(plain.length);
        const offset = a % plain.length;
        const length = 1 + (b % (plain.length - offset));
        const span = chunksFor(layout, { offset, length });
        const stride = chunkBytes + tagBytes;
        assert.ok(span.sealed.offset === Math.floor(offset / chunkBytes) * stride);
        assert.ok(span.sealed.length <= Math.ceil((length + (offset % chunkBytes)) / chunkBytes) * stride);
        const { offset: from, length: count } = span.sealed;
        const sealed = sealBuffer(plain, layout).subarray(from, from + count);
        const wanted = plain.subarray(offset, offset + length);
        const given = await collect(openChunks(cut(sealed, []), layout, span, bad));
        assert.deepEqual(given.subarray(span.skipBytes, span.skipBytes + length), wanted);
        assert.deepEqual(
          openBuffer(sealed, layout, span, bad).subarray(span.skipBytes, span.skipBytes + length),
          wanted,
        );
      }),
    );
  });

  test('is refused when any bit of it was changed', () => {
    const plain = randomBytes(2 * chunkBytes + 7);
    const layout = layoutOf(plain.length);
    const sealed = sealBuffer(plain, layout);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(
        () => openBuffer(changed, layout, whole(layout), bad),
        /bad: chunk \d of it was changed/,
        `bit ${bit}`,
      );
    }
  });

  test('is refused when it was cut anywhere, also between two chunks and by a ledger that is wrong too', async () => {
    const plain = randomBytes(3 * chunkBytes);
    const layout = layoutOf(plain.length);
    const sealed = sealBuffer(plain, layout);
    for (let length = 0; length < sealed.length; length++) {
      const cutOff = sealed.subarray(0, length);
      assert.throws(() => openBuffer(cutOff, layout, whole(layout), bad), /bad: /);
      await assert.rejects(collect(openChunks(cut(cutOff, []), layout, whole(layout), bad)), /bad: /);
    }
    for (const sizeBytes of [0, chunkBytes, 2 * chunkBytes]) {
      const lied = layoutOf(sizeBytes);
      const fitting = sealed.subarray(0, sealedBytes(lied));
      assert.throws(() => openBuffer(fitting, lied, whole(lied), bad), /bad: /);
    }
  });

  test('is refused when chunks changed places, or came from another part, another content or another place', () => {
    const plain = randomBytes(3 * chunkBytes);
    const layout = layoutOf(plain.length);
    const sealed = sealBuffer(plain, layout);
    const stride = chunkBytes + tagBytes;
    const chunk = (index: number, from = sealed) => from.subarray(index * stride, (index + 1) * stride);
    const fails = (bytes: Buffer) => assert.throws(() => openBuffer(bytes, layout, whole(layout), bad), /was changed/);
    fails(Buffer.concat([chunk(1), chunk(0), chunk(2)]));
    fails(Buffer.concat([chunk(0), chunk(1), chunk(1)]));
    for (const other of [
      { contentId: 'c-2' },
      { part: 2 },
      { key: randomBytes(32) },
      { sizeBytes: plain.length - 1 },
    ]) {
      const foreign = sealBuffer(plain.subarray(0, other.sizeBytes), layoutOf(plain.length, other));
      fails(Buffer.concat([chunk(0), chunk(1, foreign), chunk(2)]));
    }
  });

  test('failure 14: never ends cleanly when its source broke or was short: an error is not an end', async () => {
    async function* breaking(): AsyncGenerator<Buffer> {
      yield randomBytes(chunkBytes);
      throw new Error('the connection is gone');
    }
    await assert.rejects(collect(sealChunks(breaking(), layoutOf(2 * chunkBytes))), /the connection is gone/);
    await assert.rejects(
      collect(sealChunks(cut(randomBytes(chunkBytes), []), layoutOf(2 * chunkBytes))),
      /1 of 2 chunks/,
    );
    const longer = cut(randomBytes(2 * chunkBytes + 1), []);
    await assert.rejects(collect(sealChunks(longer, layoutOf(2 * chunkBytes))), /longer than was announced/);
    await assert.rejects(
      collect(openChunks(breaking(), layoutOf(2 * chunkBytes), whole(layoutOf(2 * chunkBytes)), bad)),
      /the connection is gone|was changed/,
    );
  });
});
