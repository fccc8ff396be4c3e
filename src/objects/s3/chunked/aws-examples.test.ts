import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checksumOf } from '../../checksums/checksum.ts';
import { parseAuthorization } from '../signature/authorization.ts';
import type { SignatureClaim, SignedRequest } from '../signature/signed-request.ts';
import { signingKey } from '../signature/signing-key.ts';
import { verifySignature } from '../signature/verify.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { chunkedOptions } from './chunked-options.ts';
import { encodeChunked } from './encode-chunked.fixture.ts';

const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const payload = Buffer.alloc(66_560, 'a');

/** The request of an example, with the headers that follow the ones that all examples share. */
function example(rawHeaders: readonly string[], signedHeaders: string, signature: string): SignedRequest {
  const credential = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request';
  return {
    method: 'PUT',
    rawPath: '/examplebucket/chunkObject.txt',
    rawQuery: '',
    rawHeaders: [
      ['Host', 's3.amazonaws.com'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ['Content-Encoding', 'aws-chunked'],
      ['x-amz-decoded-content-length', '66560'],
      rawHeaders,
      [
        'Authorization',
        `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signedHeaders},Signature=${signature}`,
      ],
    ].flat(),
  };
}

function decoderFor(request: SignedRequest): ChunkedDecoder {
  const claim = parseAuthorization(request, Date.UTC(2013, 4, 24)) as SignatureClaim;
  const key = signingKey(secret, claim.scope);
  verifySignature(claim, request, key);
  return new ChunkedDecoder(chunkedOptions(claim, key)!);
}

function chunk(size: string, signature: string, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${size};chunk-signature=${signature}\r\n`), data, Buffer.from('\r\n')]);
}

describe("AWS's examples of chunked bodies", () => {
  test('signed chunks: decoded, with the published signatures', () => {
    // "Transferring Payload in Multiple Chunks (Chunked Upload)" in the Amazon S3 API reference.
    const decoder = decoderFor(
      example(
        ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'Content-Length', '66824'],
        'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
        '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      ),
    );
    const wire = Buffer.concat([
      chunk('10000', 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648', payload.subarray(0, 65_536)),
      chunk('400', '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497', payload.subarray(65_536)),
      chunk('0', 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9', Buffer.alloc(0)),
    ]);
    assert.equal(wire.length, 66_824);
    assert.deepEqual(Buffer.concat(decoder.push(wire)), payload);
    assert.equal(decoder.end().trailers.size, 0);
  });

  test('signed chunks and trailer: decoded and encoded, with the published signatures', () => {
    // "Signature calculations for trailing headers" in the Amazon S3 API reference.
    const seedSignature = '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e';
    const decoder = decoderFor(
      example(
        [
          'x-amz-content-sha256',
          'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
          'x-amz-trailer',
          'x-amz-checksum-crc32c',
        ],
        'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
        seedSignature,
      ),
    );
    const wire = Buffer.concat([
      chunk('10000', 'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2', payload.subarray(0, 65_536)),
      chunk('400', '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7', payload.subarray(65_536)),
      Buffer.from('0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n'),
      Buffer.from('x-amz-checksum-crc32c:sOO8/Q==\r\n'),
      Buffer.from('x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n'),
    ]);
    assert.deepEqual(Buffer.concat(decoder.push(wire)), payload);
    const { trailers } = decoder.end();
    assert.deepEqual([...trailers], [['x-amz-checksum-crc32c', checksumOf('CRC32C', payload).toString('base64')]]);

    const scope = { date: '20130524', region: 'us-east-1' };
    const signing = { signingKey: signingKey(secret, scope), scope, amzDate: '20130524T000000Z', seedSignature };
    const encoded = encodeChunked(payload, { signing, chunkLengths: [65_536], trailers: [...trailers] });
    assert.deepEqual(Buffer.concat(encoded), wire);
  });
});
