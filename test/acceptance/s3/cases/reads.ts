import assert from 'node:assert/strict';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf, partBytesMin, refusal } from '../case.ts';
import type { World } from '../world.ts';

const body = bytesOf(1000, 3);

const ranges: readonly (readonly [range: string, status: number, first: number, end: number])[] = [
  ['bytes=0-0', 206, 0, 1],
  ['bytes=0-', 206, 0, 1000],
  ['bytes=10-19', 206, 10, 20],
  ['bytes=990-2000', 206, 990, 1000],
  ['bytes=-5', 206, 995, 1000],
  ['bytes=-5000', 206, 0, 1000],
  ['bytes=999-', 206, 999, 1000],
  ['bytes=20-10', 200, 0, 1000],
  ['bytes=a-b', 200, 0, 1000],
  ['bytes=', 200, 0, 1000],
  ['bytes=-', 200, 0, 1000],
  ['octets=0-1', 200, 0, 1000],
  ['bytes=0-1,5-6', 200, 0, 1000],
  ['bytes=1000-', 416, 0, 0],
  ['bytes=5000-6000', 416, 0, 0],
  ['bytes=-0', 416, 0, 0],
  ['bytes=99999999999999999999-', 416, 0, 0],
];

async function withObject(world: World, content: Buffer = body): Promise<string> {
  const Bucket = await world.bucket();
  await world.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: content }));
  return `/${Bucket}/k`;
}

const hourMs = 3_600_000;
const past = new Date(Date.now() - hourMs).toUTCString();
const future = new Date(Date.now() + 24 * hourMs).toUTCString();

/** Conditions of a read, `E` standing for the ETag, and what GET and HEAD answer. */
const conditions: readonly (readonly [headers: Readonly<Record<string, string>>, status: number])[] = [
  [{ 'if-match': 'E' }, 200],
  [{ 'if-match': '*' }, 200],
  [{ 'if-match': '"other", E' }, 200],
  [{ 'if-match': '"other"' }, 412],
  [{ 'if-none-match': 'E' }, 304],
  [{ 'if-none-match': '*' }, 304],
  [{ 'if-none-match': 'W/E' }, 304],
  [{ 'if-none-match': '"other"' }, 200],
  [{ 'if-modified-since': past }, 200],
  [{ 'if-unmodified-since': past }, 412],
  [{ 'if-unmodified-since': future }, 200],
  [{ 'if-match': 'E', 'if-unmodified-since': past }, 200],
  [{ 'if-none-match': '"other"', 'if-modified-since': 'now' }, 200],
  [{ 'if-none-match': 'E', 'if-modified-since': past }, 304],
  [{ 'if-modified-since': 'now' }, 304],
  [{ 'if-modified-since': 'the day before yesterday' }, 200],
  [{ 'if-match': '"other"', 'if-none-match': 'E' }, 412],
];

export const readCases: readonly Case[] = [
  acceptanceCase('ranges are those of RFC 9110, as S3 reads them', async (world) => {
    const target = await withObject(world);
    for (const [range, status, first, end] of ranges) {
      const read = await world.send({ method: 'GET', target, headers: { range } });
      const head = await world.send({ method: 'HEAD', target, headers: { range } });
      assert.deepEqual([range, read.status, head.status], [range, status, status]);
      if (status === 416) {
        assert.equal(read.code, 'InvalidRange');
        continue;
      }
      assert.ok(read.body.equals(body.subarray(first, end)), range);
      assert.equal(head.headers['content-length'], String(end - first));
      const contentRange = status === 206 ? `bytes ${first}-${end - 1}/1000` : undefined;
      assert.deepEqual([read.headers['content-range'], head.headers['content-range']], [contentRange, contentRange]);
      assert.equal(read.headers['accept-ranges'], 'bytes');
    }
  }),
  acceptanceCase('trap 13: any range of an empty object is 416', async (world) => {
    const target = await withObject(world, Buffer.alloc(0));
    for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) {
      const answer = await world.send({ method: 'GET', target, headers: { range } });
      assert.deepEqual([range, answer.status, answer.code], [range, 416, 'InvalidRange']);
    }
    const whole = await world.send({ method: 'GET', target });
    assert.deepEqual([whole.status, whole.body.length, whole.headers['content-length']], [200, 0, '0']);
  }),
  acceptanceCase('a range of a large object reads no more than it', async (world) => {
    const content = bytesOf(3_000_000, 9);
    const target = await withObject(world, content);
    for (const [first, last] of [
      [0, 0],
      [65_535, 65_536],
      [1_048_575, 2_097_153],
      [2_999_999, 2_999_999],
    ] as const) {
      const read = await world.send({ method: 'GET', target, headers: { range: `bytes=${first}-${last}` } });
      assert.equal(read.status, 206);
      assert.ok(read.body.equals(content.subarray(first, last + 1)), `${first}-${last}`);
    }
  }),
  acceptanceCase('trap 12: conditions of reads have the precedence of RFC 9110', async (world) => {
    const target = await withObject(world);
    const { etag, 'last-modified': modified } = (await world.send({ method: 'HEAD', target })).headers;
    const resolve = (text: string) => text.replace(/\bE\b/, String(etag)).replace(/^now$/, String(modified));
    for (const [given, status] of conditions) {
      const headers = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, resolve(text)]));
      const read = await world.send({ method: 'GET', target, headers });
      const head = await world.send({ method: 'HEAD', target, headers });
      assert.deepEqual([given, read.status, head.status], [given, status, status]);
      if (status === 412) assert.equal(read.code, 'PreconditionFailed');
      if (status !== 304) continue;
      assert.deepEqual([read.headers.etag, read.body.length], [etag, 0]);
      assert.equal(read.headers['content-length'], undefined);
    }
  }),
  acceptanceCase('If-Range gives the range while the object is the same, else the whole', async (world) => {
    const target = await withObject(world);
    const { etag, 'last-modified': modified } = (await world.send({ method: 'HEAD', target })).headers;
    const statuses: number[] = [];
    for (const ifRange of [String(etag), String(modified), '"other"', past, `W/${etag}`]) {
      const headers = { range: 'bytes=0-9', 'if-range': ifRange };
      statuses.push((await world.send({ method: 'GET', target, headers })).status);
    }
    assert.deepEqual(statuses, [206, 206, 200, 200, 200]);
  }),
  acceptanceCase('trap 30: Last-Modified has whole seconds, and times in XML have milliseconds', async (world) => {
    const target = await withObject(world);
    const { headers } = await world.send({ method: 'HEAD', target });
    assert.match(String(headers['last-modified']), /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    const listing = await world.send({ method: 'GET', target: target.slice(0, -2) });
    const listed = /<LastModified>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)</.exec(listing.text)![1]!;
    const seconds = (time: string) => Math.floor(Date.parse(time) / 1000);
    assert.equal(seconds(listed), seconds(String(headers['last-modified'])));
  }),
  acceptanceCase(
    'trap 14: a part of an object is read by its number, and how many there are is told',
    async (world) => {
      const { s3 } = world;
      const Bucket = await world.bucket();
      const [Key, first, second] = ['k', bytesOf(partBytesMin, 4), bytesOf(1234, 5)];
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
      for (const [index, Body] of [first, second].entries()) {
        const PartNumber = index * 3 + 2;
        const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
        Parts.push({ PartNumber, ETag });
      }
      await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
      const [last] = Parts.slice(-1);
      for (const [PartNumber, content, start] of [
        [2, first, 0],
        [last!.PartNumber, second, first.length],
      ] as const) {
        const read = await s3.send(new GetObjectCommand({ Bucket, Key, PartNumber }));
        assert.ok(Buffer.from(await read.Body!.transformToByteArray()).equals(content));
        assert.equal(read.ContentRange, `bytes ${start}-${start + content.length - 1}/${first.length + second.length}`);
        const head = await s3.send(new HeadObjectCommand({ Bucket, Key, PartNumber }));
        assert.deepEqual([head.PartsCount, head.ContentLength, read.PartsCount], [2, content.length, 2]);
      }
      await refusal(s3.send(new GetObjectCommand({ Bucket, Key, PartNumber: 9 })), 'InvalidPartNumber', 416);
      const both = await world.send({
        method: 'GET',
        target: `/${Bucket}/k?partNumber=1`,
        headers: { range: 'bytes=0-1' },
      });
      assert.deepEqual([both.status, both.code], [400, 'InvalidRequest']);
      const wrong = await world.send({ method: 'GET', target: `/${Bucket}/k?partNumber=0` });
      assert.deepEqual([wrong.status, wrong.code], [400, 'InvalidArgument']);
      const across = await world.send({
        method: 'GET',
        target: `/${Bucket}/k`,
        headers: { range: `bytes=${first.length - 5}-${first.length + 4}` },
      });
      assert.ok(across.body.equals(Buffer.concat([first.subarray(-5), second.subarray(0, 5)])));
    },
  ),
];
