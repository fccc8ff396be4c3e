import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { encodeChunked } from './encode-chunked.fixture.ts';

const signing = {
  signingKey: createSecretKey(Buffer.alloc(32, 7)),
  scope: { date: '20260203', region: 'r' },
  amzDate: '20260203T120000Z',
  seedSignature: 'ab'.repeat(32),
};
const crc32 = ['x-amz-checksum-crc32', 'AAAAAA=='] as const;
const sha1 = ['x-amz-checksum-sha1', 'AAAA'] as const;
const payload = Buffer.from('payload');

function decode(trailers: readonly string[], wire: readonly Buffer[], isSigned = false): ReadonlyMap<string, string> {
  const decoder = new ChunkedDecoder({
    decodedLength: payload.length,
    signing: isSigned ? signing : null,
    hasTrailers: true,
    trailers,
  });
  for (const piece of wire) decoder.push(piece);
  return decoder.end().trailers;
}

/** An unsigned body whose trailers are this text. */
function body(trailers: string): Buffer[] {
  return [Buffer.from(`7\r\npayload\r\n0\r\n${trailers}`)];
}

function fails(work: () => unknown, code = 'MalformedTrailerError'): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.details['s3'], code, error.message);
    return true;
  });
}

describe('the trailers of a body in chunks', () => {
  test('are those that were announced, in any case and with any line end that clients write', () => {
    const wires = [
      'x-amz-checksum-crc32:AAAAAA==\r\n\r\n',
      'X-Amz-Checksum-CRC32: AAAAAA== \r\n\r\n',
      // As minio-go and the example in AWS's documentation end their lines.
      'x-amz-checksum-crc32:AAAAAA==\n\r\n\r\n',
    ];
    for (const wire of wires) assert.deepEqual([...decode([crc32[0]], body(wire))], [crc32], wire);
    const both = 'x-amz-checksum-sha1:AAAA\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
    assert.deepEqual([...decode([crc32[0], sha1[0]], body(both))], [sha1, crc32]);
    assert.deepEqual([...decode([], body('\r\n'))], []);
  });

  test('are all there, once, and nothing else', () => {
    fails(() => decode([crc32[0]], body('\r\n')));
    fails(() => decode([crc32[0], sha1[0]], body('x-amz-checksum-crc32:AAAAAA==\r\n\r\n')));
    fails(() => decode([crc32[0]], body('x-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')));
    fails(() => decode([], body('x-amz-checksum-crc32:AAAAAA==\r\n\r\n')));
    for (const line of [
      'x-amz-meta-a:1',
      'x-amz-checksum-crc32',
      ':',
      'x-amz-checksum-crc32 :AAAAAA==',
      '\n',
      '__proto__:1',
    ]) {
      fails(() => decode([crc32[0]], body(`${line}\r\n\r\n`)));
    }
    fails(() => decode([crc32[0]], body(`x-amz-checksum-crc32:${'A'.repeat(100_000)}\r\n\r\n`)));
    fails(() => decode([crc32[0]], body('x-amz-trailer-signature:00\r\n\r\n')));
    fails(() => decode([crc32[0], sha1[0]], body('x-amz-checksum-sha1:AAAA\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')));
  });

  test('do not follow a body that has none', () => {
    const decoder = new ChunkedDecoder({ decodedLength: 7, signing, hasTrailers: false, trailers: [] });
    const [header, data, end, last] = encodeChunked(payload, { signing }) as [Buffer, Buffer, Buffer, Buffer];
    for (const piece of [header, data, end, last]) decoder.push(piece);
    fails(() => decoder.push(Buffer.from('x-amz-checksum-crc32:AAAAAA==\r\n\r\n')), 'IncompleteBody');
  });

  test('failure 15: of signed chunks are signed', () => {
    const names = [crc32[0], sha1[0]];
    for (const trailerEnd of ['\r\n', '\n\r\n'] as const) {
      const wire = encodeChunked(payload, { signing, trailers: [crc32, sha1], trailerEnd });
      assert.deepEqual([...decode(names, wire, true)], [crc32, sha1]);
    }
    const wire = encodeChunked(payload, { signing, trailers: [crc32, sha1] });
    const [signature, end] = wire.slice(-2) as [Buffer, Buffer];
    const head = wire.slice(0, -4);
    const lines = wire.slice(-4, -2);
    fails(() => decode(names, [...head, ...lines, end], true));
    fails(() => decode(names, [...head, ...lines, signature, lines[0]!, end], true));
    fails(() => decode(names, [...head, ...lines, signature, signature, end], true));
    fails(() => decode(names, [...head, signature, ...lines, end], true), 'SignatureDoesNotMatch');
    fails(() => decode(names, [...head, ...lines.toReversed(), signature, end], true), 'SignatureDoesNotMatch');
    fails(
      () => decode(names, [...head, ...lines, Buffer.from('x-amz-trailer-signature:0\r\n'), end], true),
      'SignatureDoesNotMatch',
    );
    const changed = Buffer.from('x-amz-checksum-crc32:AAAAAQ==\r\n');
    fails(() => decode(names, [...head, changed, lines[1]!, signature, end], true), 'SignatureDoesNotMatch');
  });
});
