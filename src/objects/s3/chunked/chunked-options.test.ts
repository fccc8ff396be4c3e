import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { foldHeaders } from '../signature/headers.ts';
import type { PayloadForm } from '../signature/payload-hash.ts';
import type { SignatureClaim } from '../signature/signed-request.ts';
import { chunkedOptions } from './chunked-options.ts';
import { withoutAwsChunked } from './content-encoding.ts';

const key = createSecretKey(Buffer.alloc(32));
const length = ['x-amz-decoded-content-length', '123'];

function claim(payload: PayloadForm, rawHeaders: readonly string[] = length): SignatureClaim {
  return {
    kind: 'header',
    accessKey: 'AKID',
    scope: { date: '20260203', region: 'r' },
    signedHeaders: [],
    signature: 'ab'.repeat(32),
    amzDate: '20260203T120000Z',
    timeMs: 0,
    headers: foldHeaders(rawHeaders),
    payloadHash: '',
    payload,
  };
}

function fails(payload: PayloadForm, rawHeaders: readonly string[], code: string): void {
  assert.throws(
    () => chunkedOptions(claim(payload, rawHeaders), key),
    (error) => error instanceof HoldfastError && error.details['s3'] === code,
  );
}

describe('how a body is decoded', () => {
  test('is decided by the hash of the payload alone', () => {
    const headers = [...length, 'Content-Encoding', 'aws-chunked'];
    assert.equal(chunkedOptions(claim('sha256', headers), key), null);
    assert.equal(chunkedOptions(claim('unsigned', headers), key), null);
    assert.notEqual(chunkedOptions(claim('signed-chunks'), key), null);
  });

  test('goes on from the signature of the request', () => {
    const headers = [...length, 'X-Amz-Trailer', 'x-amz-checksum-CRC32, x-amz-checksum-sha256'];
    const { scope, amzDate, signature } = claim('signed-chunks');
    const signing = { signingKey: key, scope, amzDate, seedSignature: signature };
    const trailers = ['x-amz-checksum-crc32', 'x-amz-checksum-sha256'];
    assert.deepEqual(chunkedOptions(claim('signed-chunks-trailer', headers), key), {
      decodedLength: 123,
      trailers,
      hasTrailers: true,
      signing,
    });
    const plain = { decodedLength: 123, trailers, hasTrailers: true, signing: null };
    assert.deepEqual(chunkedOptions(claim('unsigned-chunks-trailer', headers), key), plain);
    const { headers: folded } = claim('unsigned', headers);
    const payload = 'unsigned-chunks-trailer';
    const anonymous = { kind: 'anonymous', headers: folded, payloadHash: '', payload } as const;
    assert.deepEqual(chunkedOptions(anonymous, null), plain);
    assert.throws(() => chunkedOptions(claim('signed-chunks'), null), TypeError);
  });

  test('needs the length of the payload', () => {
    for (const payload of ['signed-chunks', 'signed-chunks-trailer', 'unsigned-chunks-trailer'] as const) {
      fails(payload, [], 'MissingContentLength');
      for (const text of ['', '-1', '1.5', '0x10', '1e3', '9'.repeat(16), '123, 123']) {
        fails(payload, ['x-amz-decoded-content-length', text], 'InvalidArgument');
      }
    }
  });

  test('knows only checksums as trailers, each once, and only where the form has trailers', () => {
    const announce = (text: string) => [...length, 'x-amz-trailer', text];
    const wrong = ['x-amz-meta-a', 'x-amz-checksum-crc32,', 'content-md5', 'x-amz-checksum-crc32,x-amz-checksum-crc32'];
    for (const text of wrong) fails('unsigned-chunks-trailer', announce(text), 'InvalidRequest');
    fails('unsigned-chunks-trailer', announce('x-amz-checksum-crc32,'.repeat(1000)), 'InvalidRequest');
    fails('signed-chunks', announce('x-amz-checksum-crc32'), 'InvalidRequest');
  });
});

describe('a content encoding', () => {
  test('failure 15: loses aws-chunked, which is not of the object', () => {
    const cases: readonly [given: string, kept: string | undefined][] = [
      ['gzip', 'gzip'],
      ['deflate,gzip', 'deflate,gzip'],
      ['aws-chunked', undefined],
      ['AWS-Chunked,', undefined],
      ['gzip, aws-chunked', 'gzip'],
      ['aws-chunked, gzip, aws-chunked', 'gzip'],
      ['deflate,aws-chunked,gzip', 'deflate, gzip'],
    ];
    for (const [given, kept] of cases) assert.equal(withoutAwsChunked(given), kept, given);
  });
});
