import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import { checksumOf } from '../checksums/checksum.ts';
import { type Encoding, encodeChunked } from './chunked/encode-chunked.fixture.ts';
import { parseAuthorization } from './signature/authorization.ts';
import type { SignatureClaim } from './signature/signed-request.ts';
import { signingKey } from './signature/signing-key.ts';
import { type S3Stage, openStage } from './test-stage.ts';

interface Framed {
  readonly payloadHash: string;
  readonly trailers?: Encoding['trailers'];
  readonly lengths?: readonly number[];
  /** Changes the pieces on their way. */
  readonly spoil?: (pieces: Buffer[]) => Buffer[];
  readonly decodedLength?: number;
  readonly transfer?: 'length' | 'chunked';
}

/** Puts a body in chunks, as SDKs send it, and gives the answer as it stood on the wire. */
async function putFramed(at: S3Stage, content: Buffer, framed: Framed): Promise<string> {
  const { payloadHash, trailers, lengths = [65_536], spoil = (pieces) => pieces, transfer = 'length' } = framed;
  const isSigned = payloadHash.startsWith('STREAMING-AWS4');
  const encode = (signing: Encoding['signing']) =>
    encodeChunked(content, { signing, chunkLengths: lengths, ...(trailers === undefined ? {} : { trailers }) });
  // The length of the body is the same whatever its signatures are.
  const scope = { date: '20260101', region: 'us-east-1' };
  const zero = {
    signingKey: signingKey('x', scope),
    scope,
    amzDate: '20260101T000000Z',
    seedSignature: '0'.repeat(64),
  };
  const length = Buffer.concat(spoil(encode(isSigned ? zero : null))).length;
  const headers = ['host', at.url.host, 'connection', 'close', 'content-encoding', 'aws-chunked'];
  headers.push('x-amz-decoded-content-length', String(framed.decodedLength ?? content.length));
  headers.push(...(transfer === 'length' ? ['content-length', String(length)] : ['transfer-encoding', 'chunked']));
  if (trailers !== undefined) headers.push('x-amz-trailer', trailers.map(([name]) => name).join(','));
  const rawHeaders = at.sign('PUT', '/box/k', headers, payloadHash);
  const claim = parseAuthorization(
    { method: 'PUT', rawPath: '/box/k', rawQuery: '', rawHeaders },
    Date.now(),
  ) as SignatureClaim;
  const signing = {
    signingKey: signingKey(at.owner.secret, claim.scope),
    scope: claim.scope,
    amzDate: claim.amzDate,
    seedSignature: claim.signature,
  };
  const body = Buffer.concat(spoil(encode(isSigned ? signing : null)));
  let head = 'PUT /box/k HTTP/1.1\r\n';
  for (let index = 0; index < rawHeaders.length; index += 2)
    head += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  const sent =
    transfer === 'length'
      ? [body]
      : [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')];
  return at.raw(Buffer.concat([Buffer.from(`${head}\r\n`), ...sent]));
}

const crc32 = (content: Buffer) => [['x-amz-checksum-crc32', checksumOf('CRC32', content).toString('base64')]] as const;
const signedChunks = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';

describe('bodies in chunks', () => {
  for (const size of [0, 10, 200_000, 700_000]) {
    for (const transfer of ['length', 'chunked'] as const) {
      test(`of ${size} bytes are stored without their frames (${transfer})`, async () => {
        await using at = await openStage();
        await at.ask('PUT', '/box');
        const content = randomBytes(size);
        const forms: readonly Framed[] = [
          { payloadHash: signedChunks, transfer },
          { payloadHash: `${signedChunks}-TRAILER`, trailers: crc32(content), transfer },
          { payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', trailers: crc32(content), transfer },
        ];
        for (const form of forms) {
          assert.match(await putFramed(at, content, form), /^HTTP\/1\.1 200 /, form.payloadHash);
          const got = await at.ask('GET', '/box/k', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
          assert.ok(got.body.equals(content), form.payloadHash);
          assert.equal(got.headers['content-encoding'], undefined);
          if (form.trailers !== undefined) assert.equal(got.headers['x-amz-checksum-crc32'], form.trailers[0]![1]);
          await at.ask('DELETE', '/box/k');
        }
      });
    }
  }

  for (const size of [20_000, 700_000]) {
    test(`failure 15: of ${size} bytes whose chunks or trailers are not what was signed leave nothing`, async () => {
      await using at = await openStage();
      await at.ask('PUT', '/box');
      const content = randomBytes(size);
      const flip = (index: number) => (pieces: Buffer[]) =>
        pieces.map((piece, at2) =>
          at2 === index ? Buffer.from(piece.map((byte, at3) => (at3 === 0 ? byte ^ 1 : byte))) : piece,
        );
      const trailers = crc32(content);
      const wrong = [['x-amz-checksum-crc32', 'AAAAAA==']] as const;
      const signedTrailer = `${signedChunks}-TRAILER`;
      const unsignedTrailer = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
      const cases: readonly (readonly [string, Framed, RegExp])[] = [
        ['a changed chunk', { payloadHash: signedChunks, lengths: [9_000], spoil: flip(1) }, /SignatureDoesNotMatch/],
        ['no last chunk', { payloadHash: signedChunks, spoil: (pieces) => pieces.slice(0, -2) }, /IncompleteBody/],
        [
          'a chunk left out',
          { payloadHash: signedChunks, lengths: [9_000], spoil: (pieces) => pieces.slice(3) },
          /SignatureDoesNotMatch/,
        ],
        ['too few bytes', { payloadHash: signedChunks, decodedLength: size + 1 }, /IncompleteBody/],
        ['too many bytes', { payloadHash: signedChunks, decodedLength: size - 1 }, /IncompleteBody/],
        ['a wrong checksum', { payloadHash: unsignedTrailer, trailers: wrong }, /BadDigest/],
        ['a wrong checksum, signed', { payloadHash: signedTrailer, trailers: wrong }, /BadDigest/],
        [
          'a checksum that is none',
          { payloadHash: unsignedTrailer, trailers: [['x-amz-checksum-crc32', 'x']] },
          /MalformedTrailerError/,
        ],
        [
          'no trailer',
          { payloadHash: unsignedTrailer, trailers, spoil: (pieces) => [...pieces.slice(0, -2), pieces.at(-1)!] },
          /MalformedTrailerError/,
        ],
        [
          'no signature of the trailer',
          { payloadHash: signedTrailer, trailers, spoil: (pieces) => [...pieces.slice(0, -2), pieces.at(-1)!] },
          /MalformedTrailerError/,
        ],
      ];
      for (const [what, framed, code] of cases) {
        const answer = await putFramed(at, content, framed);
        assert.match(answer, /^HTTP\/1\.1 40[03] /, what);
        assert.match(answer, code, what);
        assert.equal((await at.ask('HEAD', '/box/k')).status, 404, what);
      }
      await until('no bytes are left', () => at.backend.blobs.size === 0);
    });
  }
});
