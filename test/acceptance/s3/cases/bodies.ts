import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf, mebibyte } from '../case.ts';
import { type Framed, framedPut } from '../framing.ts';
import { headText, outcomeOf, rawExchange, signedHeaders } from '../wire.ts';
import type { World } from '../world.ts';

/** Sends a framed body with these pieces, on a connection of its own; gives the first line and the code. */
async function sendFramed(
  world: World,
  framed: Framed,
  change: (parts: Buffer[]) => readonly (Buffer | string)[] = (parts) => parts,
): Promise<{ readonly status: number; readonly code: string }> {
  const { s3Url } = world.gateway;
  const { ask, rawHeaders, parts } = framedPut(s3Url, world.owner, framed);
  const body = Buffer.concat(change(parts).map((part) => Buffer.from(part)));
  const head = headText('PUT', ask.target, [
    ...rawHeaders,
    'content-length',
    String(body.length),
    'connection',
    'close',
  ]);
  return outcomeOf(await rawExchange(s3Url, [head, body]));
}

async function assertAbsent(world: World, bucket: string, key: string): Promise<void> {
  const answer = await world.send({ method: 'GET', target: `/${bucket}/${key}` });
  assert.deepEqual([answer.status, answer.code], [404, 'NoSuchKey'], `${key} must not be there`);
}

const text = Buffer.from('some content that is cut into chunks');
const crc32 = ['x-amz-checksum-crc32', 'XYgCaw=='] as const;

/** What may go wrong in a framed body: how it is changed, and what the answer is. */
const broken: readonly (readonly [
  what: string,
  framed: Partial<Framed>,
  change: (parts: Buffer[]) => readonly (Buffer | string)[],
  status: number,
  code: string,
])[] = [
  [
    'failure 15, trap 3: a framed body without its last chunk',
    { isSigned: true },
    (parts) => parts.slice(0, -2),
    400,
    'IncompleteBody',
  ],
  [
    'failure 15, trap 3: a framed body with a changed byte',
    { isSigned: true, chunkLengths: [8] },
    (parts) => parts.with(1, Buffer.from('SOME con')),
    403,
    'SignatureDoesNotMatch',
  ],
  [
    'failure 15, trap 3: a framed body with two chunks in the other order',
    { isSigned: true, chunkLengths: [8, 8] },
    (parts) => [...parts.slice(3, 6), ...parts.slice(0, 3), ...parts.slice(6)],
    403,
    'SignatureDoesNotMatch',
  ],
  [
    'failure 15, trap 3: a framed body with a changed trailer',
    { isSigned: true, trailers: [crc32] },
    (parts) => parts.map((part) => (part.includes('crc32') ? Buffer.from('x-amz-checksum-crc32:AAAAAA==\r\n') : part)),
    403,
    'SignatureDoesNotMatch',
  ],
  [
    'failure 15, trap 2: a framed body shorter than announced',
    { isSigned: true, decodedLength: '99' },
    (parts) => parts,
    400,
    'IncompleteBody',
  ],
  [
    'failure 15, trap 2: a framed body shorter than announced, unsigned',
    { trailers: [crc32], decodedLength: '99' },
    (parts) => parts,
    400,
    'IncompleteBody',
  ],
  [
    'failure 15: a framed body with a trailer that is not of the content',
    { trailers: [['x-amz-checksum-crc32', 'AAAAAA==']] },
    (parts) => parts,
    400,
    'BadDigest',
  ],
  [
    'failure 15: a framed body with a trailer that is no digest',
    { trailers: [['x-amz-checksum-crc32', 'abc']] },
    (parts) => parts,
    400,
    'MalformedTrailerError',
  ],
];

const digests: readonly (readonly [name: string, value: string, status: number, code: string])[] = [
  ['content-md5', 'AAAAAAAAAAAAAAAAAAAAAA==', 400, 'BadDigest'],
  ['content-md5', 'short', 400, 'InvalidDigest'],
  ['content-md5', '', 400, 'InvalidDigest'],
  ['x-amz-checksum-crc32', 'AAAAAA==', 400, 'BadDigest'],
  ['x-amz-checksum-crc32c', 'AAAAAA==', 400, 'BadDigest'],
  ['x-amz-checksum-crc64nvme', 'AAAAAAAAAAA=', 400, 'BadDigest'],
  ['x-amz-checksum-sha1', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=', 400, 'BadDigest'],
  ['x-amz-checksum-sha256', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', 400, 'BadDigest'],
  ['x-amz-checksum-crc32', 'x', 400, 'InvalidRequest'],
  ['x-amz-sdk-checksum-algorithm', 'ROT13', 400, 'InvalidRequest'],
];

export const bodyCases: readonly Case[] = [
  acceptanceCase(
    'trap 1: the SDK’s own framing, with its trailing checksum, is decoded and verified',
    async (world) => {
      const Bucket = await world.bucket();
      const body = bytesOf(300_000);
      // A stream makes the SDK send its checksum after the content.
      const put = await world.s3.send(
        new PutObjectCommand({
          Bucket,
          Key: 'k',
          Body: body,
          ContentLength: body.length,
          ChecksumAlgorithm: 'CRC64NVME',
        }),
      );
      const read = await world.s3.send(new GetObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
      assert.deepEqual(Buffer.from(await read.Body!.transformToByteArray()), body);
      assert.equal(read.ChecksumCRC64NVME, put.ChecksumCRC64NVME);
      assert.ok(put.ChecksumCRC64NVME);
      assert.equal(read.ETag, `"${hash('md5', body, 'hex')}"`);
    },
  ),
  ...[true, false].map((isSigned) =>
    acceptanceCase(
      `trap 2: ${isSigned ? 'signed' : 'unsigned'} chunks give an object as long as its content`,
      async (world) => {
        const bucket = await world.bucket();
        const payload = bytesOf(200_000, 7);
        const sha256 = ['x-amz-checksum-sha256', hash('sha256', payload, 'base64')] as const;
        const framed = {
          target: `/${bucket}/k`,
          payload,
          isSigned,
          chunkLengths: [65_536, 65_536],
          trailers: [sha256],
        };
        assert.deepEqual(await sendFramed(world, framed), { status: 200, code: '' });
        const read = await world.send({
          method: 'GET',
          target: `/${bucket}/k`,
          headers: { 'x-amz-checksum-mode': 'ENABLED' },
        });
        assert.equal(read.headers['content-length'], '200000');
        assert.ok(read.body.equals(payload));
        assert.equal(read.headers['x-amz-checksum-sha256'], sha256[1]);
      },
    ),
  ),
  acceptanceCase('trap 4: aws-chunked is not kept as an encoding, others are', async (world) => {
    const bucket = await world.bucket();
    const target = `/${bucket}/k`;
    const headers = { 'content-encoding': 'gzip,aws-chunked' };
    await sendFramed(world, { target, payload: text, isSigned: true, headers });
    const both = await world.send({ method: 'HEAD', target });
    await sendFramed(world, { target, payload: text, isSigned: true });
    const alone = await world.send({ method: 'HEAD', target });
    assert.deepEqual([both.headers['content-encoding'], alone.headers['content-encoding']], ['gzip', undefined]);
  }),
  ...broken.map(([what, framed, change, status, code]) =>
    acceptanceCase(`${what} is refused and not kept`, async (world) => {
      const bucket = await world.bucket();
      const whole = { target: `/${bucket}/k`, payload: text, isSigned: false, ...framed };
      assert.deepEqual(await sendFramed(world, whole, change), { status, code });
      await assertAbsent(world, bucket, 'k');
    }),
  ),
  acceptanceCase('trap 10: digests that are wrong or malformed are refused, each with its own code', async (world) => {
    const bucket = await world.bucket();
    for (const [name, value, status, code] of digests) {
      const answer = await world.send({
        method: 'PUT',
        target: `/${bucket}/k`,
        body: 'content',
        headers: { [name]: value },
      });
      assert.deepEqual([name, value, answer.status, answer.code], [name, value, status, code]);
    }
    await assertAbsent(world, bucket, 'k');
    const lied = await world.send({
      method: 'PUT',
      target: `/${bucket}/k`,
      body: 'content',
      payloadHash: '0'.repeat(64),
    });
    assert.deepEqual([lied.status, lied.code], [400, 'XAmzContentSHA256Mismatch']);
    await assertAbsent(world, bucket, 'k');
  }),
  ...(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const).map((ChecksumAlgorithm) =>
    acceptanceCase(`a ${ChecksumAlgorithm} is computed, kept and told on request`, async (world) => {
      const Bucket = await world.bucket();
      const put = await world.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'content', ChecksumAlgorithm }));
      const head = await world.s3.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
      const silent = await world.s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }));
      const name = `Checksum${ChecksumAlgorithm}` as const;
      assert.ok(put[name]);
      assert.deepEqual([head[name], head.ChecksumType], [put[name], 'FULL_OBJECT']);
      assert.equal(silent[name], undefined);
    }),
  ),
  acceptanceCase('a body that is cut off is not kept, wherever it is cut', async (world) => {
    const bucket = await world.bucket();
    for (const [announced, sent] of [
      [100, 10],
      [mebibyte * 3, mebibyte * 2],
      [100, 0],
    ] as const) {
      const head = signedHead(world, 'PUT', `/${bucket}/k`, ['content-length', String(announced)]);
      await rawExchange(world.gateway.s3Url, [head, bytesOf(sent)], { isEnded: true });
    }
    await assertAbsent(world, bucket, 'k');
  }),
  acceptanceCase('failure 25: a body without a length is MissingContentLength', async (world) => {
    const bucket = await world.bucket();
    const head = signedHead(world, 'PUT', `/${bucket}/k`, ['transfer-encoding', 'chunked', 'connection', 'close']);
    const answer = await rawExchange(world.gateway.s3Url, [head, '3\r\nabc\r\n0\r\n\r\n']);
    assert.deepEqual(outcomeOf(answer), { status: 411, code: 'MissingContentLength' });
    await assertAbsent(world, bucket, 'k');
  }),
  acceptanceCase('more than 5 GiB in one request is EntityTooLarge, before a byte is read', async (world) => {
    const bucket = await world.bucket();
    const length = ['content-length', String(5 * 1024 ** 3 + 1), 'connection', 'close'];
    const head = signedHead(world, 'PUT', `/${bucket}/k`, length);
    assert.deepEqual(outcomeOf(await rawExchange(world.gateway.s3Url, [head])), {
      status: 400,
      code: 'EntityTooLarge',
    });
  }),
  acceptanceCase(
    'trap 8: a client that expects 100 is told to go on once it is authenticated, else refused at once',
    async (world) => {
      const bucket = await world.bucket();
      const { s3Url } = world.gateway;
      const extra = ['expect', '100-continue', 'content-length', '7', 'connection', 'close'];
      const good = signedHead(world, 'PUT', `/${bucket}/k`, extra);
      const went = await rawExchange(s3Url, [good, 'content']);
      assert.match(went, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
      const bad = good.replace(/Signature=\w{8}/, 'Signature=00000000');
      const stopped = await rawExchange(s3Url, [bad]);
      assert.match(stopped, /^HTTP\/1\.1 403 /);
      assert.doesNotMatch(stopped, /100 Continue/);
    },
  ),
];

/** The head of a request whose body is not covered by its signature. */
function signedHead(world: World, method: string, target: string, extra: readonly string[]): string {
  const raw = signedHeaders(world.gateway.s3Url, { method, target, payloadHash: 'UNSIGNED-PAYLOAD' }, world.owner);
  return headText(method, target, [...raw, ...extra]);
}
