import assert from 'node:assert/strict';
import {
  CopyObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf, refusal } from '../case.ts';

const hourMs = 3_600_000;

export const copyCases: readonly Case[] = [
  acceptanceCase('trap 23: an object is copied with all that is said of it, also to another bucket', async (world) => {
    const { s3 } = world;
    const [from, to] = [await world.bucket(), await world.bucket()];
    const body = bytesOf(200_000, 2);
    const Key = 'ü b/+k%';
    const { ETag } = await s3.send(
      new PutObjectCommand({
        Bucket: from,
        Key,
        Body: body,
        ContentType: 'text/x',
        Metadata: { a: '1' },
        Tagging: 't=1',
      }),
    );
    const CopySource = `${from}/${Key.split('/').map(encodeURIComponent).join('/')}`;
    const copied = await s3.send(new CopyObjectCommand({ Bucket: to, Key: 'copy', CopySource }));
    assert.equal(copied.CopyObjectResult!.ETag, ETag);
    const read = await s3.send(new GetObjectCommand({ Bucket: to, Key: 'copy' }));
    assert.ok(Buffer.from(await read.Body!.transformToByteArray()).equals(body));
    assert.deepEqual([read.ContentType, read.Metadata, read.TagCount], ['text/x', { a: '1' }, 1]);
    await world.send({ method: 'DELETE', target: `/${CopySource}` });
    const still = await s3.send(new GetObjectCommand({ Bucket: to, Key: 'copy' }));
    assert.ok(Buffer.from(await still.Body!.transformToByteArray()).equals(body), 'it does not hang on its source');
  }),
  acceptanceCase('a copy replaces metadata and tags when it is told to', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', Metadata: { a: '1' }, Tagging: 't=1' }));
    const replaced = { MetadataDirective: 'REPLACE', TaggingDirective: 'REPLACE' } as const;
    const wish = {
      Bucket,
      Key: 'k2',
      CopySource: `${Bucket}/k`,
      ContentType: 'text/y',
      Metadata: { b: '2' },
      Tagging: 'u=2',
    };
    await s3.send(new CopyObjectCommand({ ...wish, ...replaced }));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k2' }));
    const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'k2' }));
    assert.deepEqual([head.ContentType, head.Metadata, TagSet], ['text/y', { b: '2' }, [{ Key: 'u', Value: '2' }]]);
    await s3.send(new CopyObjectCommand({ ...wish, Key: 'k3' }));
    const kept = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k3' }));
    assert.deepEqual(kept.Metadata, { a: '1' }, 'without the directive what is sent is passed over');
  }),
  acceptanceCase('trap 23: a copy onto itself is refused unless it changes something', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const at = { Bucket, Key: 'k' };
    await s3.send(new PutObjectCommand({ ...at, Body: 'x', Metadata: { a: '1' } }));
    const CopySource = `/${Bucket}/k`;
    await refusal(s3.send(new CopyObjectCommand({ ...at, CopySource })), 'InvalidRequest', 400);
    await s3.send(new CopyObjectCommand({ ...at, CopySource, MetadataDirective: 'REPLACE', Metadata: { b: '2' } }));
    const read = await s3.send(new GetObjectCommand(at));
    assert.deepEqual([await read.Body!.transformToString(), read.Metadata], ['x', { b: '2' }]);
  }),
  acceptanceCase('a source that is not there or not right is refused', async (world) => {
    const bucket = await world.bucket();
    await world.send({ method: 'PUT', target: `/${bucket}/k`, body: 'x' });
    for (const [source, status, code] of [
      [`/${bucket}/absent`, 404, 'NoSuchKey'],
      ['/no-such-bucket-here/k', 404, 'NoSuchBucket'],
      [`/${bucket}/k?versionId=none`, 404, 'NoSuchVersion'],
      [bucket, 400, 'InvalidArgument'],
      ['', 400, 'InvalidArgument'],
      [`/${bucket}/%zz`, 400, 'InvalidArgument'],
    ] as const) {
      const headers = { 'x-amz-copy-source': source };
      const answer = await world.send({ method: 'PUT', target: `/${bucket}/to`, headers });
      assert.deepEqual([source, answer.status, answer.code], [source, status, code]);
    }
    assert.equal((await world.send({ method: 'GET', target: `/${bucket}/to` })).status, 404);
    const headers = { 'x-amz-copy-source': `/${bucket}/k`, 'x-amz-metadata-directive': 'MOVE' };
    const answer = await world.send({ method: 'PUT', target: `/${bucket}/to`, headers });
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument']);
  }),
  acceptanceCase('conditions on the source and on the target decide about a copy', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    const wish = { Bucket, Key: 'to', CopySource: `${Bucket}/k` };
    const earlier = new Date(Date.now() - hourMs);
    for (const refused of [
      { CopySourceIfMatch: '"other"' },
      { CopySourceIfNoneMatch: ETag },
      { CopySourceIfModifiedSince: new Date(Date.now() - 1) },
      { CopySourceIfUnmodifiedSince: earlier },
    ]) {
      await refusal(s3.send(new CopyObjectCommand({ ...wish, ...refused })), 'PreconditionFailed', 412);
    }
    await s3.send(new CopyObjectCommand({ ...wish, CopySourceIfMatch: ETag, CopySourceIfModifiedSince: earlier }));
    await refusal(s3.send(new CopyObjectCommand({ ...wish, IfNoneMatch: '*' })), 'PreconditionFailed', 412);
    await s3.send(new CopyObjectCommand({ ...wish, IfMatch: ETag }));
  }),
  acceptanceCase('an older version is copied when it is named, and becomes the latest so', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket({ versioning: 'enabled' });
    const at = { Bucket, Key: 'k' };
    const old = await s3.send(new PutObjectCommand({ ...at, Body: 'old' }));
    await s3.send(new PutObjectCommand({ ...at, Body: 'new' }));
    const CopySource = `${Bucket}/k?versionId=${old.VersionId}`;
    const copied = await s3.send(new CopyObjectCommand({ ...at, CopySource }));
    assert.equal(copied.CopySourceVersionId, old.VersionId);
    assert.notEqual(copied.VersionId, old.VersionId);
    const read = await s3.send(new GetObjectCommand(at));
    assert.equal(await read.Body!.transformToString(), 'old');
  }),
  acceptanceCase('a copy may be given a checksum that its source has not', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    await world.send({ method: 'PUT', target: `/${Bucket}/k`, body: 'content' });
    const wish = { Bucket, Key: 'to', CopySource: `${Bucket}/k`, ChecksumAlgorithm: 'SHA256' } as const;
    const copied = await s3.send(new CopyObjectCommand(wish));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'to', ChecksumMode: 'ENABLED' }));
    assert.equal(head.ChecksumSHA256, '7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=');
    assert.equal(copied.CopyObjectResult!.ChecksumSHA256, head.ChecksumSHA256);
  }),
];
