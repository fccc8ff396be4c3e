import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type BlobDescription,
  decodeDescription,
  descriptionBytes,
  descriptionBytesMax,
  encodeDescription,
  openDescription,
} from './description.ts';
import { frameBytesFor } from '../compression/frames.ts';
import { newDataKey } from '../encryption/data-key.ts';
import { draftForm } from './encode-body.ts';
import type { StoredForm } from './form.ts';

const text = fc.string({ unit: 'binary' }).filter((one) => one.isWellFormed());
const names = fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true });
const descriptions: fc.Arbitrary<BlobDescription> = fc.record({
  bucket: text,
  key: text,
  contentId: text,
  part: fc.integer({ min: 1, max: 10_000 }),
  sizeBytes: fc.maxSafeNat(),
  attributes: fc.record({ contentType: text, headers: names, metadata: names }, { noNullPrototype: true }),
  createdAtMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});
const digests = fc.record({
  md5: fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 32, maxLength: 32 }),
  crc32: fc.integer({ min: 0, max: 0xffff_ffff }),
});

describe('the description at the end of a blob', () => {
  test('is read as it was written, whatever stands before it', () => {
    fc.assert(
      fc.property(descriptions, digests, fc.uint8Array({ maxLength: 50 }), (description, sums, before) => {
        const blob = Buffer.concat([before, encodeDescription(description, sums)]);
        assert.deepEqual(decodeDescription(blob), { ...description, ...sums });
      }),
    );
  });

  test('is as long as was claimed before the digests were known', () => {
    fc.assert(
      fc.property(descriptions, digests, (description, sums) => {
        assert.equal(encodeDescription(description, sums).length, descriptionBytes(description));
      }),
    );
  });

  test('garbage has none', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => decodeDescription(Buffer.from(bytes)) === null));
    const tail = (length: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(length);
      return Buffer.concat([bytes, Buffer.from('HFD1')]);
    };
    for (const json of [
      '',
      '{',
      'null',
      '[]',
      '1',
      '{}',
      '{"bucket":"b"}',
      '{"bucket":1,"key":"k","part":1,"md5":""}',
    ]) {
      assert.equal(decodeDescription(Buffer.concat([Buffer.from(json), tail(json.length)])), null, json);
    }
    assert.equal(decodeDescription(Buffer.concat([Buffer.from('{}'), tail(3)])), null, 'longer than what there is');
    const long = Buffer.alloc(descriptionBytesMax + 1, 0x20);
    assert.equal(decodeDescription(Buffer.concat([long, tail(long.length)])), null, 'too long');
  });

  test('is not taken for one when any bit of it was changed', () => {
    const attributes = { contentType: 'text/plain', headers: {}, metadata: { a: 'b' } };
    const description = { bucket: 'b', key: 'k', contentId: 'c', part: 1, sizeBytes: 7, attributes, createdAtMs: 0 };
    const blob = encodeDescription(description, { md5: '0'.repeat(32), crc32: 1 });
    assert.notEqual(decodeDescription(blob), null);
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const changed = Buffer.from(blob);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(decodeDescription(changed), null, `bit ${bit}`);
    }
  });

  test('is read without its checksum as it was before there was one', () => {
    fc.assert(
      fc.property(descriptions, digests, (description, sums) => {
        const blob = encodeDescription(description, sums);
        const length = blob.subarray(-8, -4);
        const bare = Buffer.concat([blob.subarray(0, -12), length, Buffer.from('HFD1')]);
        assert.deepEqual(decodeDescription(bare), { ...description, ...sums });
      }),
    );
  });

  test('is not taken for one when its end was cut or changed', () => {
    fc.assert(
      fc.property(descriptions, digests, fc.integer({ min: 1, max: 12 }), (description, sums, cutBytes) => {
        const blob = encodeDescription(description, sums);
        assert.equal(decodeDescription(blob.subarray(0, -cutBytes)), null);
        const changed = Buffer.from(blob);
        changed[blob.length - 1]! ^= 1;
        assert.equal(decodeDescription(changed), null);
      }),
    );
  });
});

describe('the description of a plain blob of many chunks', () => {
  const sizeBytes = 600_000_000;
  const draft = draftForm({ key: null, compression: 'none' }, { contentId: 'c', part: 1, sizeBytes })!;
  const { chunkBytes, crc32s } = draft.sums!;
  const sumsOfChunks = fc
    .array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 1, maxLength: 20 })
    .map((some) => crc32s.map((_, index) => some[index % some.length]!));

  test('is as long as was claimed before any checksum was known, and tells them all', () => {
    fc.assert(
      fc.property(descriptions, digests, sumsOfChunks, (plain, sums, each) => {
        const description = { ...plain, sizeBytes };
        const form: StoredForm = { ...draft, crc32: sums.crc32, sums: { chunkBytes, crc32s: each } };
        const blob = encodeDescription(description, sums, { form, key: null });
        assert.equal(blob.length, descriptionBytes(description, { form: draft, key: null }));
        assert.deepEqual(decodeDescription(blob), { ...description, ...sums, form });
      }),
      { numRuns: 30 },
    );
  });

  test('is never too long for one, however much is said of the object', () => {
    const quotes = '"'.repeat(2_048);
    const standard = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'];
    const tags = Array.from({ length: 10 }, (_, index) => [`${index}${'語'.repeat(127)}`, '語'.repeat(256)]);
    const description: BlobDescription = {
      bucket: 'b'.repeat(63),
      key: '\u0001'.repeat(1_024),
      contentId: 'c-00000000-0000-7000-8000-000000000000',
      part: 10_000,
      sizeBytes,
      attributes: {
        contentType: quotes,
        headers: Object.fromEntries(standard.map((name) => [name, quotes])),
        metadata: { a: quotes },
      },
      createdAtMs: 4_102_444_800_000,
      version: {
        id: 'v-00000000-0000-7000-8000-000000000000',
        owner: '"'.repeat(256),
        tags: Object.fromEntries(tags) as Record<string, string>,
        lock: { retention: { mode: 'GOVERNANCE', untilMs: 4_102_444_800_000 }, isLegalHold: true },
      },
    };
    const owner = { contentId: 'c', part: 1, sizeBytes: 268_435_456 };
    const summed = draftForm({ key: null, compression: 'none' }, owner)!;
    assert.equal(summed.sums!.crc32s.length, 1_024);
    const long = 'k'.repeat(64);
    const key = newDataKey({ id: `kek-${long}`, rootKeyId: long, wrapped: long, bytes: Buffer.alloc(32, 1) }, owner);
    const frameBytes = frameBytesFor(4 * 1024 ** 3);
    const frames = Array.from({ length: Math.ceil((4 * 1024 ** 3) / frameBytes) }, () => frameBytes);
    const packed = draftForm({ key, compression: { frameBytes, frames } }, owner)!;
    for (const described of [
      { form: { ...summed }, key: null },
      { form: { ...packed }, key },
    ]) {
      const blob = encodeDescription(description, { md5: '0'.repeat(32), crc32: 0 }, described);
      assert.ok(blob.length < descriptionBytesMax, `${blob.length} bytes`);
      assert.notEqual(decodeDescription(blob), null);
    }
  });
});

describe('the description of an encrypted blob', () => {
  const owner = { contentId: 'c-1', part: 1 };
  const kek = { id: 'kek-1', rootKeyId: 'a', wrapped: 'wrapped', bytes: Buffer.alloc(32, 1) };
  const key = newDataKey(kek, owner);
  const form: StoredForm = {
    bodyBytes: 1_040,
    crc32: 77,
    zstd: { frameBytes: 1_048_576, frames: [1_024] },
    sealed: { chunkBytes: 65_536, key: key.wrapped },
    sums: null,
  };

  test('is as long as was claimed before anything of the body was known, and opens with its data key', () => {
    fc.assert(
      fc.property(descriptions, digests, (plain, sums) => {
        const description = { ...plain, encryption: { kind: 'aes256' as const } };
        const blob = encodeDescription(description, sums, { form, key });
        const { crc32: _, ...draft } = form;
        assert.equal(blob.length, descriptionBytes(description, { form: draft, key }));
        const { id, rootKeyId, wrapped } = kek;
        const told = { ...description, form, kek: { id, rootKeyId, wrapped } };
        assert.deepEqual(decodeDescription(blob), { ...told, md5: null, crc32: null });
        assert.deepEqual(openDescription(blob, key.bytes), { ...told, ...sums });
        assert.ok(!blob.includes(sums.md5), 'digests tell what the content is to who can guess it');
      }),
    );
  });

  test('does not open with another key, nor when a bit of it was changed', () => {
    const description = {
      bucket: 'b',
      key: 'k\ufffd',
      ...owner,
      sizeBytes: 2_000,
      attributes: { contentType: 'text/plain', headers: {}, metadata: { a: 'b' } },
      createdAtMs: 0,
    };
    const blob = encodeDescription(description, { md5: '0'.repeat(32), crc32: 1 }, { form, key });
    assert.notEqual(openDescription(blob, key.bytes), null);
    assert.equal(openDescription(blob, Buffer.alloc(32)), null);
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const changed = Buffer.from(blob);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(openDescription(changed, key.bytes), null, `bit ${bit}`);
    }
  });
});
