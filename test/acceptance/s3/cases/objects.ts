import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf, refusal } from '../case.ts';
import { browse, textsOf } from '../wire.ts';

/** Keys that name something elsewhere, and here are only names. */
const oddKeys: readonly string[] = [
  '.',
  '..',
  './a',
  '../a',
  'a/../b',
  'a/./b',
  'a//b',
  '//',
  '/a',
  'a/',
  'a/b',
  'a',
  '%2F',
  '%',
  'a?b=c&d',
  'a#b',
  'a\\b',
  'a:b*c<d>e|f',
  ' a ',
  'ünï/✓/😀',
  'e\u0301',
  '\u00e9',
  '\ufeffbom',
  '\u0001\u001f\u007f',
  'line\nend\r\t',
  '.holdfast-objects',
  'k'.repeat(1024),
  '✓'.repeat(341),
];

const encode = (key: string) => key.split('/').map(encodeURIComponent).join('/');

export const objectCases: readonly Case[] = [
  acceptanceCase('an object is put, read, overwritten and deleted', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const at = { Bucket, Key: 'folder/k' };
    const headers = {
      ContentType: 'text/html; charset=utf-8',
      CacheControl: 'max-age=60',
      ContentDisposition: 'inline; filename="a.html"',
      ContentLanguage: 'de',
      ContentEncoding: 'identity',
      Expires: new Date('2040-01-01T00:00:00Z'),
      Metadata: { one: '1', two: 'b; c="d"' },
    };
    const put = await s3.send(new PutObjectCommand({ ...at, Body: 'content', ...headers }));
    assert.equal(put.ETag, `"${hash('md5', 'content', 'hex')}"`, 'trap 9: an ETag is quoted');
    assert.equal(put.VersionId, undefined);
    for (const command of [new GetObjectCommand(at), new HeadObjectCommand(at)]) {
      const { ETag, ContentLength, ContentType, CacheControl, ContentDisposition, ContentLanguage, ...rest } =
        await s3.send(command as GetObjectCommand);
      assert.deepEqual(
        { ETag, ContentLength, ContentType, CacheControl, ContentDisposition, ContentLanguage },
        {
          ETag: put.ETag,
          ContentLength: 7,
          ContentType: headers.ContentType,
          CacheControl: headers.CacheControl,
          ContentDisposition: headers.ContentDisposition,
          ContentLanguage: 'de',
        },
      );
      assert.deepEqual(
        [rest.ContentEncoding, rest.ExpiresString, rest.Metadata],
        ['identity', 'Sun, 01 Jan 2040 00:00:00 GMT', headers.Metadata],
      );
    }
    await s3.send(new PutObjectCommand({ ...at, Body: 'other' }));
    const second = await s3.send(new GetObjectCommand(at));
    assert.equal(await second.Body!.transformToString(), 'other');
    assert.deepEqual([second.ContentType, second.Metadata], ['application/octet-stream', {}]);
    await s3.send(new DeleteObjectCommand(at));
    await refusal(s3.send(new GetObjectCommand(at)), 'NoSuchKey', 404);
    await refusal(s3.send(new HeadObjectCommand(at)), 'NotFound', 404);
    await s3.send(new DeleteObjectCommand(at));
  }),
  acceptanceCase('an object without a type is binary/octet-stream', async (world) => {
    const target = `/${await world.bucket()}/k`;
    await world.send({ method: 'PUT', target, body: 'content' });
    const { headers } = await world.send({ method: 'HEAD', target });
    assert.equal(headers['content-type'], 'binary/octet-stream');
  }),
  ...[0, 1, 65_536, 1_048_577].map((length) =>
    acceptanceCase(`an object of ${length} bytes comes back as it was`, async (world) => {
      const target = `/${await world.bucket()}/k`;
      const body = bytesOf(length);
      assert.equal((await world.send({ method: 'PUT', target, body })).status, 200);
      const read = await world.send({ method: 'GET', target });
      assert.ok(read.body.equals(body));
      assert.deepEqual(
        [read.headers['content-length'], read.headers.etag],
        [String(length), `"${hash('md5', body, 'hex')}"`],
      );
    }),
  ),
  acceptanceCase(
    'trap 18 and trap 19: keys are names and nothing else, one may be the beginning of another',
    async (world) => {
      const bucket = await world.bucket();
      for (const key of oddKeys) {
        const put = await world.send({ method: 'PUT', target: `/${bucket}/${encode(key)}`, body: key });
        assert.deepEqual([key, put.status], [key, 200], put.text);
      }
      for (const key of oddKeys) {
        const read = await world.send({ method: 'GET', target: `/${bucket}/${encode(key)}` });
        assert.deepEqual([key, read.status, read.text], [key, 200, key]);
      }
      const { text } = await world.send({ method: 'GET', target: `/${bucket}?encoding-type=url` });
      const listed = textsOf(text, 'Key').map(decodeURIComponent);
      const ordered = oddKeys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(listed, ordered, 'trap 17: in the order of their bytes');
      await world.send({ method: 'DELETE', target: `/${bucket}/a` });
      assert.equal((await world.send({ method: 'GET', target: `/${bucket}/a/b` })).status, 200);
      assert.equal((await world.send({ method: 'GET', target: `/${bucket}/a/` })).status, 200);
    },
  ),
  acceptanceCase('a key of more than 1,024 bytes is KeyTooLongError, one that is no text is refused', async (world) => {
    const bucket = await world.bucket();
    for (const key of ['k'.repeat(1025), '✓'.repeat(342)]) {
      const answer = await world.send({ method: 'PUT', target: `/${bucket}/${encode(key)}`, body: 'x' });
      assert.deepEqual([answer.status, answer.code], [400, 'KeyTooLongError']);
    }
    for (const wire of ['%ff%fe', '%00', '%zz', '%2']) {
      const { s3Url } = world.gateway;
      const answer = await browse(`${s3Url}/${bucket}/${wire}`);
      assert.equal(answer.status, 400, wire);
    }
  }),
  acceptanceCase(
    'trap 29: metadata has at most 2 KB and lower-case names; text beyond ASCII comes back',
    async (world) => {
      const target = `/${await world.bucket()}/k`;
      const fits = { 'x-amz-meta-a': 'x'.repeat(2047) };
      const over = { 'x-amz-meta-a': 'x'.repeat(2000), 'x-amz-meta-b': 'y'.repeat(48) };
      const refused = await world.send({ method: 'PUT', target, body: 'content', headers: over });
      assert.deepEqual([refused.status, refused.code], [400, 'MetadataTooLarge']);
      assert.equal((await world.send({ method: 'HEAD', target })).status, 404);
      assert.equal((await world.send({ method: 'PUT', target, body: 'content', headers: fits })).status, 200);
      const named = { 'X-Amz-Meta-MiXeD': 'v', 'x-amz-meta-word': '=?UTF-8?B?w7xi4pyT?=' };
      assert.equal((await world.send({ method: 'PUT', target, body: 'content', headers: named })).status, 200);
      const { headers } = await world.send({ method: 'HEAD', target });
      assert.equal(headers['x-amz-meta-mixed'], 'v');
      assert.equal(headers['x-amz-meta-word'], '=?UTF-8?B?w7xi4pyT?=');
    },
  ),
  acceptanceCase('attributes of an object are told as they are asked for', async (world) => {
    const { s3 } = world;
    const at = { Bucket: await world.bucket(), Key: 'k' };
    await s3.send(new PutObjectCommand({ ...at, Body: 'content', ChecksumAlgorithm: 'SHA256' }));
    const ObjectAttributes = ['ETag', 'Checksum', 'ObjectSize', 'StorageClass', 'ObjectParts'] as const;
    const all = await s3.send(new GetObjectAttributesCommand({ ...at, ObjectAttributes: [...ObjectAttributes] }));
    assert.deepEqual(
      [all.ETag, all.ObjectSize, all.StorageClass, all.ObjectParts],
      [hash('md5', 'content', 'hex'), 7, 'STANDARD', undefined],
    );
    assert.equal(all.Checksum!.ChecksumSHA256, hash('sha256', 'content', 'base64'));
    const one = await s3.send(new GetObjectAttributesCommand({ ...at, ObjectAttributes: ['ObjectSize'] }));
    assert.deepEqual([one.ETag, one.Checksum, one.ObjectSize], [undefined, undefined, 7]);
    const wrong = await world.send({
      method: 'GET',
      target: `/${at.Bucket}/k?attributes`,
      headers: { 'x-amz-object-attributes': 'Colour' },
    });
    assert.deepEqual([wrong.status, wrong.code], [400, 'InvalidArgument']);
  }),
];
