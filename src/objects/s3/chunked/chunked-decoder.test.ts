import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { ChunkedDecoder, type ChunkedOptions } from './chunked-decoder.ts';
import { type Encoding, encodeChunked } from './encode-chunked.fixture.ts';

const signing = {
  signingKey: createSecretKey(Buffer.alloc(32, 7)),
  scope: { date: '20260203', region: 'r' },
  amzDate: '20260203T120000Z',
  seedSignature: 'ab'.repeat(32),
};
const checksum = ['x-amz-checksum-crc32', 'AAAAAA=='] as const;

/** The forms of a body: signed or not, with trailers or without. */
const forms: readonly Encoding[] = [
  { signing },
  { signing, trailers: [checksum] },
  { signing: null, trailers: [checksum] },
  { signing: null, trailers: [] },
];
const anyForm = fc.constantFrom(...forms);

function optionsFor(payload: Buffer, form: Encoding): ChunkedOptions {
  return {
    decodedLength: payload.length,
    signing: form.signing,
    hasTrailers: form.trailers !== undefined,
    trailers: (form.trailers ?? []).map(([name]) => name),
    chunkBytesMin: 0,
  };
}

interface Decoded {
  readonly payload: Buffer;
  readonly trailers: ReadonlyMap<string, string>;
}

function decode(options: ChunkedOptions, pieces: Iterable<Buffer>): Decoded {
  const decoder = new ChunkedDecoder(options);
  const slices = [...pieces].flatMap((piece) => decoder.push(piece));
  return { trailers: decoder.end().trailers, payload: Buffer.concat(slices) };
}

function* cut(wire: Buffer, ends: readonly number[]): Generator<Buffer> {
  let start = 0;
  for (const end of [...ends.filter((each) => each < wire.length).sort((a, b) => a - b), wire.length]) {
    yield wire.subarray(start, end);
    start = end;
  }
}

function fails(work: () => unknown, ...codes: string[]): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.ok(codes.includes(String(error.details['s3'])), `${String(error.details['s3'])}: ${error.message}`);
    return true;
  });
}

const payload = Buffer.from('0123456789'.repeat(5));
const chunkLengths = [7, 20];

describe('a body in chunks', () => {
  test('failure 15: gives its payload, however the wire cuts it', () => {
    fc.assert(
      fc.property(
        anyForm,
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 5 }),
        fc.array(fc.nat(1500), { maxLength: 12 }),
        (form, bytes, lengths, ends) => {
          const body = Buffer.from(bytes);
          const wire = Buffer.concat(encodeChunked(body, { ...form, chunkLengths: lengths }));
          const decoded = decode(optionsFor(body, form), cut(wire, ends));
          assert.deepEqual(decoded.payload, body);
          assert.deepEqual([...decoded.trailers], form.trailers ?? []);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('failure 15: gives its payload byte by byte', () => {
    for (const form of forms) {
      const wire = Buffer.concat(encodeChunked(payload, { ...form, chunkLengths }));
      const bytes = Array.from(wire, (_, index) => wire.subarray(index, index + 1));
      assert.deepEqual(decode(optionsFor(payload, form), bytes).payload, payload);
    }
  });

  test('failure 15: is refused when it is cut off at any byte', () => {
    for (const form of forms) {
      const wire = Buffer.concat(encodeChunked(payload, { ...form, chunkLengths }));
      for (let end = 0; end < wire.length; end += 1) {
        fails(() => decode(optionsFor(payload, form), [wire.subarray(0, end)]), 'IncompleteBody');
      }
    }
  });

  test('failure 15: is refused when anything follows its end', () => {
    for (const form of forms) {
      const wire = Buffer.concat(encodeChunked(payload, form));
      for (const more of ['\r\n', '0', '\0', wire.toString('latin1')]) {
        fails(
          () => decode(optionsFor(payload, form), [Buffer.concat([wire, Buffer.from(more, 'latin1')])]),
          'IncompleteBody',
        );
      }
    }
  });

  test('failure 15: is refused when one bit of a signed one flips', () => {
    for (const form of forms.filter((each) => each.signing !== null)) {
      const wire = Buffer.concat(encodeChunked(payload, { ...form, chunkLengths }));
      for (let bit = 0; bit < wire.length * 8; bit += 1) {
        const other = Buffer.from(wire);
        other[bit >>> 3]! ^= 1 << (bit & 7);
        // Sizes and names mean the same in either case.
        if (other.toString('latin1').toLowerCase() === wire.toString('latin1').toLowerCase()) continue;
        fails(
          () => decode(optionsFor(payload, form), [other]),
          'IncompleteBody',
          'SignatureDoesNotMatch',
          'MalformedTrailerError',
        );
      }
    }
  });

  test('failure 15: never passes for the same when one bit of an unsigned one flips', () => {
    for (const form of forms.filter((each) => each.signing === null)) {
      const wire = Buffer.concat(encodeChunked(payload, { ...form, chunkLengths }));
      for (let bit = 0; bit < wire.length * 8; bit += 1) {
        const other = Buffer.from(wire);
        other[bit >>> 3]! ^= 1 << (bit & 7);
        if (other.toString('latin1').toLowerCase() === wire.toString('latin1').toLowerCase()) continue;
        let decoded: Decoded;
        try {
          decoded = decode(optionsFor(payload, form), [other]);
        } catch (error) {
          assert.ok(error instanceof HoldfastError, String(error));
          continue;
        }
        // Whoever compares the payload with its checksum, or the checksum with the payload, finds it.
        const isSame = decoded.payload.equals(payload) && isDeepStrictEqual([...decoded.trailers], form.trailers);
        assert.ok(!isSame, `bit ${bit}`);
        assert.equal(decoded.payload.length, payload.length);
      }
    }
  });

  test('failure 15: of any pieces of another is refused, or is that one', () => {
    fc.assert(
      fc.property(
        anyForm,
        fc.nat(400),
        fc.nat(40),
        fc.uint8Array({ maxLength: 10 }),
        fc.array(fc.nat(600), { maxLength: 6 }),
        (form, start, removed, added, ends) => {
          const wire = Buffer.concat(encodeChunked(payload, { ...form, chunkLengths }));
          const at = start % wire.length;
          const other = Buffer.concat([wire.subarray(0, at), added, wire.subarray(at + removed)]);
          try {
            const decoded = decode(optionsFor(payload, form), cut(other, ends));
            assert.equal(decoded.payload.length, payload.length);
            if (form.signing !== null) assert.deepEqual(decoded.payload, payload);
          } catch (error) {
            assert.ok(error instanceof HoldfastError, String(error));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('failure 15: is refused when signed chunks are left out, doubled or moved', () => {
    const [header1, data1, end1, header2, data2, end2, ...rest] = encodeChunked(Buffer.alloc(20, 'x'), {
      signing,
      chunkLengths: [10],
    }) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, ...Buffer[]];
    const first = [header1, data1, end1];
    const second = [header2, data2, end2];
    const options = (decodedLength: number): ChunkedOptions => ({ ...optionsFor(data1, forms[0]!), decodedLength });
    assert.equal(decode(options(20), [...first, ...second, ...rest]).payload.length, 20);
    fails(() => decode(options(10), [...second, ...rest]), 'SignatureDoesNotMatch');
    fails(() => decode(options(10), [...first, ...rest]), 'SignatureDoesNotMatch');
    fails(() => decode(options(20), [...second, ...first, ...rest]), 'SignatureDoesNotMatch');
    fails(() => decode(options(20), [...first, ...first, ...rest]), 'SignatureDoesNotMatch');
  });

  test('failure 15: hands on the last byte of a chunk only when its signature is right', () => {
    const [header, data] = encodeChunked(payload, { signing }) as [Buffer, Buffer];
    const wrong = Buffer.from(header);
    wrong[wrong.length - 3]! ^= 1;
    const decoder = new ChunkedDecoder(optionsFor(payload, forms[0]!));
    decoder.push(wrong);
    assert.deepEqual(decoder.push(data.subarray(0, 49)), [data.subarray(0, 49)]);
    fails(() => decoder.push(data.subarray(49)), 'SignatureDoesNotMatch');
    fails(() => decoder.push(Buffer.from('\r\n')), 'SignatureDoesNotMatch');
    fails(() => decoder.end(), 'SignatureDoesNotMatch');
  });

  test('failure 15: has exactly the length that was announced', () => {
    for (const form of forms) {
      const wire = Buffer.concat(encodeChunked(payload, { ...form, chunkLengths }));
      for (const decodedLength of [0, 7, 26, 49, 51, 2 ** 40]) {
        fails(() => decode({ ...optionsFor(payload, form), decodedLength }, [wire]), 'IncompleteBody');
      }
    }
  });

  test('is handed on without being copied', () => {
    const wire = Buffer.concat(encodeChunked(payload, { signing: null, trailers: [], chunkLengths: [20] }));
    const slices = new ChunkedDecoder(optionsFor(payload, forms[3]!)).push(wire);
    assert.deepEqual(
      slices.map((slice) => slice.buffer === wire.buffer && slice.length),
      [20, 30],
    );
  });

  test('has small chunks only at its end, as S3 asks', () => {
    const body = Buffer.alloc(20_000);
    const options = { ...optionsFor(body, forms[0]!), chunkBytesMin: 8192 };
    for (const form of [{ signing }, { signing: null, trailers: [] }]) {
      const own = { ...optionsFor(body, form), chunkBytesMin: options.chunkBytesMin };
      decode(own, encodeChunked(body, { ...form, chunkLengths: [8192, 8192] }));
      fails(() => decode(own, encodeChunked(body, { ...form, chunkLengths: [8191] })), 'InvalidChunkSizeError');
      fails(() => decode(own, encodeChunked(body, { ...form, chunkLengths: [8192, 1] })), 'InvalidChunkSizeError');
    }
  });

  test('is refused when the header of a chunk is malformed or endless', () => {
    const headers = ['', '-1', '0x5', ' 5', '5 ', '5;', '5;chunk-signature=', 'g', '+5', '5\n', '1'.repeat(14)];
    for (const header of headers) {
      for (const form of [forms[0]!, forms[3]!]) {
        fails(
          () => decode(optionsFor(payload, form), [Buffer.from(`${header}\r\n01234\r\n0\r\n\r\n`)]),
          'IncompleteBody',
        );
      }
    }
    fails(() => decode(optionsFor(payload, forms[3]!), [Buffer.from('5\n01234\n0\n\n')]), 'IncompleteBody');
    const decoder = new ChunkedDecoder(optionsFor(payload, forms[3]!));
    fails(() => {
      for (let count = 0; count < 1025; count += 1) decoder.push(Buffer.from('0'));
    }, 'IncompleteBody');
    fails(() => decode(optionsFor(payload, forms[0]!), [Buffer.alloc(10_000_000, 'a')]), 'IncompleteBody');
  });

  test('must be signed where its request says so', () => {
    const unsigned = Buffer.concat(encodeChunked(payload, { signing: null, trailers: [] }));
    fails(() => decode(optionsFor(payload, forms[0]!), [unsigned]), 'IncompleteBody');
    const other = { ...signing, seedSignature: 'cd'.repeat(32) };
    fails(
      () => decode(optionsFor(payload, forms[0]!), encodeChunked(payload, { signing: other })),
      'SignatureDoesNotMatch',
    );
    fails(() => decode(optionsFor(payload, forms[3]!), encodeChunked(payload, { signing })), 'IncompleteBody');
  });

  test('of garbage is refused with an error of ours', () => {
    const pieces = [
      '0',
      '5',
      'a',
      '\r\n',
      '\n',
      ';chunk-signature=',
      'f'.repeat(64),
      'x-amz-checksum-crc32:',
      ':',
      'x-amz-trailer-signature:',
    ];
    const garbage = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 8 })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(anyForm, garbage, fc.nat(20), (form, parts, decodedLength) => {
        const options = { ...optionsFor(payload, form), decodedLength };
        try {
          const decoded = decode(
            options,
            parts.map((part) => Buffer.from(part)),
          );
          assert.equal(decoded.payload.length, decodedLength);
          assert.equal(form.signing, null);
        } catch (error) {
          assert.ok(error instanceof HoldfastError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
