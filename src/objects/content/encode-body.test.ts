import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { newDataKey } from '../encryption/data-key.ts';
import { compressFrames } from '../compression/frames.ts';
import { ChunkSums } from './chunk-sums.ts';
import { type ByteRange, type Content, chunksOf, smallContentBytes } from './content.ts';
import { planReading } from './decode-body.ts';
import { type Encoding, draftForm, encodeBuffer, encodeStream } from './encode-body.ts';
import { type StoredForm, formColumn, formFromJson, formOfColumn, plainForm } from './form.ts';

const owner = { contentId: 'c-1', part: 1 };
const key = newDataKey({ id: 'kek-1', rootKeyId: 'a', wrapped: '', bytes: randomBytes(32) }, owner);
const bad = (reason: string) => new Error(`bad: ${reason}`);
const text = (length: number) => Buffer.from('so it is said again and again. '.repeat(length / 20)).subarray(0, length);

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* cut(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function streamed(own: Buffer, encoding: Encoding): Promise<{ body: Buffer; form: StoredForm }> {
  const place = { ...owner, sizeBytes: own.length };
  const draft = draftForm(encoding, place)!;
  const body = await collect(encodeStream(cut(own, 10_000), encoding, draft, place));
  const form = { ...draft, crc32: crc32(body) };
  if (draft.sums === null) return { body, form };
  const sums = new ChunkSums(draft.sums.chunkBytes);
  for await (const piece of cut(body, 7_777)) sums.add(piece);
  return { body, form: { ...form, sums: sums.finish() } };
}

async function framesOf(own: Buffer, frameBytes: number) {
  const frames: number[] = [];
  for await (const frame of compressFrames(cut(own, 7_777), frameBytes)) frames.push(frame.length);
  return { frameBytes, frames };
}

const asItStands = (range: ByteRange) => ({ range, decode: (content: Content) => content });

describe('a body', () => {
  test('that is plain is the own bytes, and has no form when it is one chunk', async () => {
    const plain = { key: null, compression: 'none' } as const;
    for (const sizeBytes of [0, 10, smallContentBytes]) {
      const own = randomBytes(sizeBytes);
      const { body, form } = await encodeBuffer(own, plain, { ...owner, sizeBytes });
      assert.equal(body, own);
      assert.equal(form, null);
      assert.equal(draftForm(plain, { ...owner, sizeBytes }), null);
    }
    assert.equal(formColumn(null), null);
    assert.equal(formOfColumn(null), null);
  });

  test('that is plain and longer has the same form however it came, as long as it was said to be', async () => {
    for (const sizeBytes of [smallContentBytes + 1, 2 * smallContentBytes, 700_000]) {
      const own = randomBytes(sizeBytes);
      const plain = { key: null, compression: 'none' } as const;
      const { body, form } = await encodeBuffer(own, plain, { ...owner, sizeBytes });
      assert.equal(body, own);
      assert.equal(form!.sums!.crc32s.length, Math.ceil(sizeBytes / smallContentBytes));
      assert.deepEqual(await streamed(own, plain), { body, form });
      const draft = { ...draftForm(plain, { ...owner, sizeBytes })!, crc32: 0 };
      assert.equal(formColumn(draft)!.length, formColumn(form)!.length);
    }
  });

  test('that is plain, compressed, encrypted or both gives any range of what it was made of', async () => {
    const own = text(300_000);
    const zstd = await framesOf(own, 65_536);
    const bodies = [
      await streamed(own, { key: null, compression: 'none' }),
      await encodeBuffer(own, { key: null, compression: 'none' }, { ...owner, sizeBytes: own.length }),
      await streamed(own, { key, compression: 'none' }),
      await streamed(own, { key: null, compression: zstd }),
      await streamed(own, { key, compression: zstd }),
      await encodeBuffer(own, { key, compression: 'when-small' }, { ...owner, sizeBytes: own.length }),
      await encodeBuffer(own, { key: null, compression: 'when-small' }, { ...owner, sizeBytes: own.length }),
    ];
    for (const { body, form: made } of bodies) {
      const form = formOfColumn(formColumn(made))!;
      assert.deepEqual(form, made);
      assert.deepEqual({ bytes: form.bodyBytes, crc32: form.crc32 }, { bytes: body.length, crc32: crc32(body) });
      const ranges = fc.tuple(fc.nat(own.length - 1), fc.nat(own.length - 1));
      await fc.assert(
        fc.asyncProperty(ranges, async ([offset, more]) => {
          const range = { offset, length: 1 + (more % (own.length - offset)) };
          const place = { ...owner, sizeBytes: own.length };
          const reading = planReading(form, place, form.sealed === null ? null : key.bytes, range) ?? asItStands(range);
          const needed = body.subarray(reading.range.offset, reading.range.offset + reading.range.length);
          assert.equal(needed.length, reading.range.length);
          const wanted = own.subarray(offset, offset + range.length);
          assert.deepEqual(reading.decode(needed, bad), wanted);
          assert.deepEqual(await collect(chunksOf(reading.decode(cut(needed, 4_000), bad))), wanted);
        }),
        { numRuns: 25 },
      );
    }
  });

  test('is not compressed when it would not shrink by a twentieth', async () => {
    const random = randomBytes(50_000);
    const wish = { key: null, compression: 'when-small' } as const;
    assert.equal((await encodeBuffer(random, wish, { ...owner, sizeBytes: random.length })).form, null);
    const small = await encodeBuffer(text(50_000), wish, { ...owner, sizeBytes: 50_000 });
    assert.ok(small.body.length < 5_000);
  });

  test('whose frames were changed or cut is refused, also without encryption', async () => {
    const own = text(100_000);
    const { body, form } = await streamed(own, { key: null, compression: await framesOf(own, 32_768) });
    const reading = planReading(form, { ...owner, sizeBytes: own.length }, null, { offset: 0, length: own.length })!;
    for (const length of [0, 1, form.zstd!.frames[0]!, body.length - 1]) {
      const short = body.subarray(0, length);
      await assert.rejects(collect(chunksOf(reading.decode(cut(short, 100), bad))), /bad: /);
    }
    const changed = Buffer.from(body);
    changed[2]! ^= 0xff;
    assert.throws(() => reading.decode(changed, bad), /bad: frame 0 of it does not expand/);
  });

  test('of an earlier release, plain without checksums of its chunks, is read as it stands', async () => {
    const own = randomBytes(700_000);
    const place = { ...owner, sizeBytes: own.length };
    const range = { offset: 300_000, length: 1 };
    assert.equal(planReading(plainForm({ ...place, crc32: crc32(own) }), place, null, range), null);
    const told = { body_bytes: own.length, crc32: '00000000' };
    assert.equal(planReading(formFromJson(told), place, null, range), null);
  });

  test('has no form of which a checksum is missing', async () => {
    const own = randomBytes(700_000);
    const { form } = await streamed(own, { key: null, compression: 'none' });
    const { chunkBytes, crc32s } = form.sums!;
    for (const sums of [
      { chunkBytes, crc32s: crc32s.slice(1) },
      { chunkBytes: 0, crc32s },
      { chunkBytes: 2 * chunkBytes, crc32s },
    ]) {
      assert.throws(() => formOfColumn(formColumn({ ...form, sums })), /not whole/);
    }
  });

  test('whose frames are not as long as they were the first time is not written', async () => {
    const own = text(100_000);
    const zstd = await framesOf(own, 32_768);
    const lied = { ...zstd, frames: zstd.frames.with(1, zstd.frames[1]! + 1) };
    await assert.rejects(streamed(own, { key, compression: lied }), /another length than it had before/);
  });
});
