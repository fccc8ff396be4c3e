import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import type { ZstdForm } from '../content/form.ts';
import { compressBuffer, compressFrames, expandBuffer, expandFrames } from './frames.ts';

const bad = (reason: string) => new Error(`bad: ${reason}`);
const words = (length: number) =>
  Buffer.from('so it is said again and again. '.repeat(length / 20)).subarray(0, length);

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

function expanded(packed: Buffer, zstd: ZstdForm, sizeBytes: number): Buffer | null {
  try {
    return expandBuffer(packed, zstd, 0, sizeBytes, bad);
  } catch (error) {
    assert.match(String(error), /bad: frame \d+ of it does not expand/);
    return null;
  }
}

/** What is made of a frame in which a bit, or all bits of a byte, were changed, at each place. */
function damageTo(packed: Buffer, own: Buffer): { readonly wrong: number } {
  const zstd = { frameBytes: 1_048_576, frames: [packed.length] };
  let refused = 0;
  let wrong = 0;
  for (let at = 0; at < packed.length; at++) {
    for (const by of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const changed = Buffer.from(packed);
      changed[at]! ^= by;
      const read = expanded(changed, zstd, own.length);
      if (read === null) refused++;
      else if (!read.equals(own)) wrong++;
    }
  }
  assert.ok(refused > packed.length, 'most of it is found out in any case');
  return { wrong };
}

describe('a compressed frame', () => {
  test('of which any bit or byte was changed is refused, or gives the right bytes all the same', async () => {
    // Bytes that do not repeat stand in it as they are: only a checksum tells that they were changed.
    const own = Buffer.concat([words(300), Buffer.from(Array.from({ length: 60 }, (_, at) => (at * 151) % 256))]);
    const { packed } = (await compressBuffer(own))!;
    assert.equal(damageTo(packed, own).wrong, 0);
    const unchecked = zstdCompressSync(own, { params: { [constants.ZSTD_c_checksumFlag]: 0 } });
    assert.ok(damageTo(unchecked, own).wrong > 60 * 8, 'without a checksum, wrong bytes are not found out');
  });

  test('of which a bit was changed gives no wrong bytes when it comes in a stream, either', async () => {
    const own = words(2_000);
    const frames: Buffer[] = [];
    for await (const frame of compressFrames(one(own), 700)) frames.push(frame);
    const zstd = { frameBytes: 700, frames: frames.map(({ length }) => length) };
    const packed = Buffer.concat(frames);
    assert.equal(frames.length, 3);
    for (let at = 0; at < packed.length; at++) {
      const changed = Buffer.from(packed);
      changed[at]! ^= 1 << (at & 7);
      const read = await collect(expandFrames(one(changed), zstd, 0, own.length, bad)).catch(() => null);
      if (read !== null) assert.ok(read.equals(own), `byte ${at}`);
    }
  });

  test('is the same for the same bytes, in a stream as in a buffer', async () => {
    const own = words(50_000);
    const { packed } = (await compressBuffer(own))!;
    for (let time = 0; time < 3; time++) {
      assert.ok((await collect(compressFrames(one(own), 1_048_576))).equals(packed));
    }
  });

  test('of an earlier release, without a checksum, is read as before', async () => {
    const own = words(50_000);
    const packed = zstdCompressSync(own, { params: { [constants.ZSTD_c_checksumFlag]: 0 } });
    const zstd = { frameBytes: 1_048_576, frames: [packed.length] };
    assert.ok(expandBuffer(packed, zstd, 0, own.length, bad).equals(own));
    assert.ok((await collect(expandFrames(one(packed), zstd, 0, own.length, bad))).equals(own));
  });
});
