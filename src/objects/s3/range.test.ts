import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../errors.ts';
import { formatContentRange, isRangeCurrent, parseRange, rangeOfPart, resolveRange } from './range.ts';

/** What a client is given: bytes, all of them (`whole`), or nothing (`416`). */
function asked(header: string, bytes: readonly number[]): readonly number[] | 'whole' | '416' {
  const spec = parseRange(header);
  if (spec === null) return 'whole';
  try {
    const { offset, length } = resolveRange(spec, bytes.length);
    return bytes.slice(offset, offset + length);
  } catch (error) {
    assert.equal(s3CodeOf(error), 'InvalidRange');
    return '416';
  }
}

/** The same by looking at every byte. */
function naive(
  first: bigint | null,
  last: bigint | null,
  bytes: readonly number[],
): readonly number[] | 'whole' | '416' {
  if (first === null && last === null) return 'whole';
  if (first !== null && last !== null && last < first) return 'whole';
  const size = BigInt(bytes.length);
  const found = bytes.filter((_, index) => {
    const at = BigInt(index);
    if (first === null) return at >= size - last!;
    return at >= first && (last === null || at <= last);
  });
  return found.length === 0 ? '416' : found;
}

const position = fc.option(fc.oneof(fc.bigInt(0n, 40n), fc.bigInt(0n, 10n ** 30n)), { nil: null });

describe('ranges', () => {
  test('give the bytes that a naive reading gives', () => {
    fc.assert(
      fc.property(position, position, fc.integer({ min: 0, max: 30 }), (first, last, size) => {
        const bytes = Array.from({ length: size }, (_, index) => index);
        assert.deepEqual(asked(`bytes=${first ?? ''}-${last ?? ''}`, bytes), naive(first, last, bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  test('of any header stay within the object', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'bytes',
        '=',
        '-',
        ',',
        ' ',
        '0',
        '1',
        '9',
        '-0',
        '00',
        '1e3',
        '٣',
        'items',
        '\t',
        '9'.repeat(20),
      ),
      fc.string({ maxLength: 3 }),
    );
    const header = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
    const anyHeader = fc.oneof(
      header,
      header.map((rest) => `bytes=${rest}`),
    );
    const anySize = fc.oneof(fc.nat(20), fc.maxSafeInteger().map(Math.abs));
    fc.assert(
      fc.property(anyHeader, anySize, (text, sizeBytes) => {
        const spec = parseRange(text);
        if (spec === null) return;
        try {
          const { offset, length } = resolveRange(spec, sizeBytes);
          assert.ok(offset >= 0 && length > 0 && offset + length <= sizeBytes, JSON.stringify({ offset, length }));
        } catch (error) {
          assert.equal(s3CodeOf(error), 'InvalidRange');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('that are not one range of bytes are ignored', () => {
    const headers = [
      '',
      'bytes',
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'bytes=1',
      'bytes=0-1,3-4',
      'items=0-1',
      'bytes=5-2',
      'bytes=-1-2',
      'bytes=0x1-2',
      'bytes=+1-2',
      'bytes=1.5-2',
      'bytes 0-1',
    ];
    for (const header of headers) assert.equal(parseRange(header), null, header);
    fc.assert(fc.property(fc.string(), (text) => asked(text, [1, 2, 3]) !== undefined));
  });

  test('of nothing are refused with the size', () => {
    assert.throws(() => resolveRange({ suffixLength: 0 }, 10), {
      details: {
        s3: 'InvalidRange',
        http_status: 416,
        actual_size_bytes: 10,
        reply_headers: { 'content-range': 'bytes */10' },
      },
    });
    assert.throws(() => resolveRange({ first: 0, last: null }, 0));
    assert.throws(() => resolveRange({ suffixLength: 5 }, 0));
    assert.deepEqual(resolveRange({ suffixLength: 50 }, 10), { offset: 0, length: 10 });
    assert.equal(formatContentRange({ offset: 2, length: 3 }, 10), 'bytes 2-4/10');
  });

  test('of parts follow each other, by their numbers', () => {
    const parts = [
      { part: 1, sizeBytes: 5 },
      { part: 3, sizeBytes: 0 },
      { part: 7, sizeBytes: 2 },
    ];
    assert.deepEqual(rangeOfPart(1, 7, parts), { offset: 0, length: 5 });
    assert.deepEqual(rangeOfPart(3, 7, parts), { offset: 5, length: 0 });
    assert.deepEqual(rangeOfPart(7, 7, parts), { offset: 5, length: 2 });
    assert.deepEqual(rangeOfPart(1, 9, []), { offset: 0, length: 9 });
    for (const [part, of] of [
      [2, parts],
      [8, parts],
      [2, []],
    ] as const) {
      assert.throws(() => rangeOfPart(part, 7, of), {
        details: { s3: 'InvalidPartNumber', http_status: 416, part_number: part, parts_count: Math.max(1, of.length) },
      });
    }
  });

  test('hold only while the object is the one that If-Range names', () => {
    const version = { etag: 'abc', modifiedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
    const cases: readonly (readonly [string | undefined, boolean])[] = [
      [undefined, true],
      ['"abc"', true],
      ['"abd"', false],
      ['W/"abc"', false],
      ['Fri, 02 Jan 2026 03:04:05 GMT', true],
      ['Fri, 02 Jan 2026 03:04:06 GMT', false],
      ['Fri, 02 Jan 2026 03:04:04 GMT', false],
      ['yesterday', false],
    ];
    for (const [ifRange, expected] of cases) assert.equal(isRangeCurrent(ifRange, version), expected, ifRange);
  });
});
