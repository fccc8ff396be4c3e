import assert from 'node:assert/strict';
import {
  DeleteBucketTaggingCommand,
  DeleteObjectTaggingCommand,
  GetBucketTaggingCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, refusal } from '../case.ts';

const tags = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ Key: `k${index}`, Value: `v ${index}` }));

export const taggingCases: readonly Case[] = [
  acceptanceCase('tags of an object are set, read, replaced and removed, and its content stays', async (world) => {
    const { s3 } = world;
    const at = { Bucket: await world.bucket(), Key: 'k' };
    const { ETag } = await s3.send(new PutObjectCommand({ ...at, Body: 'content', Tagging: 'a=1&b=x%20y%2Bz' }));
    const read = async () => (await s3.send(new GetObjectTaggingCommand(at))).TagSet!;
    assert.deepEqual(await read(), [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: 'x y+z' },
    ]);
    const TagSet = tags(10);
    await s3.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet } }));
    assert.deepEqual(
      (await read()).toSorted((x, y) => (x.Key! < y.Key! ? -1 : 1)),
      TagSet,
    );
    const head = await s3.send(new HeadObjectCommand(at));
    assert.deepEqual([head.ETag, head.TagCount], [ETag, 10]);
    await s3.send(new DeleteObjectTaggingCommand(at));
    assert.deepEqual(await read(), []);
    assert.equal((await s3.send(new HeadObjectCommand(at))).TagCount, undefined);
  }),
  acceptanceCase('tags of one version are its own', async (world) => {
    const { s3 } = world;
    const at = { Bucket: await world.bucket({ versioning: 'enabled' }), Key: 'k' };
    const { VersionId } = await s3.send(new PutObjectCommand({ ...at, Body: '1' }));
    await s3.send(new PutObjectCommand({ ...at, Body: '2', Tagging: 'of=2' }));
    const set = await s3.send(
      new PutObjectTaggingCommand({ ...at, VersionId, Tagging: { TagSet: [{ Key: 'of', Value: '1' }] } }),
    );
    assert.equal(set.VersionId, VersionId);
    const values = await Promise.all(
      [VersionId, undefined].map(async (id) => {
        const { TagSet } = await s3.send(new GetObjectTaggingCommand({ ...at, VersionId: id }));
        return TagSet![0]!.Value;
      }),
    );
    assert.deepEqual(values, ['1', '2']);
    await s3.send(new DeleteObjectTaggingCommand({ ...at, VersionId }));
    await refusal(s3.send(new GetObjectTaggingCommand({ ...at, VersionId: 'none' })), 'NoSuchVersion', 404);
  }),
  acceptanceCase('more than 10 tags, doubled ones and too long ones are refused', async (world) => {
    const { s3 } = world;
    const at = { Bucket: await world.bucket(), Key: 'k' };
    await s3.send(new PutObjectCommand({ ...at, Body: 'x', Tagging: 'a=1' }));
    const set = (TagSet: { Key: string; Value: string }[]) =>
      s3.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet } }));
    await refusal(set(tags(11)), 'InvalidTag', 400);
    await refusal(set([...tags(1), ...tags(1)]), 'InvalidTag', 400);
    await refusal(set([{ Key: 'k'.repeat(129), Value: 'v' }]), 'InvalidTag', 400);
    await refusal(set([{ Key: 'k', Value: 'v'.repeat(257) }]), 'InvalidTag', 400);
    await refusal(set([{ Key: '', Value: 'v' }]), 'InvalidTag', 400);
    await set([{ Key: 'k'.repeat(128), Value: 'v'.repeat(256) }]);
    const many = tags(11)
      .map(({ Key }) => `${Key}=v`)
      .join('&');
    await refusal(s3.send(new PutObjectCommand({ ...at, Key: 'k2', Body: 'x', Tagging: many })), 'InvalidTag', 400);
    await refusal(
      s3.send(new PutObjectCommand({ ...at, Key: 'k2', Body: 'x', Tagging: 'a=1&a=2' })),
      'InvalidTag',
      400,
    );
    await refusal(s3.send(new HeadObjectCommand({ ...at, Key: 'k2' })), 'NotFound', 404);
    await refusal(
      s3.send(new PutObjectTaggingCommand({ ...at, Key: 'k2', Tagging: { TagSet: tags(1) } })),
      'NoSuchKey',
      404,
    );
  }),
  acceptanceCase('a bucket has tags of its own', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    await refusal(s3.send(new GetBucketTaggingCommand({ Bucket })), 'NoSuchTagSet', 404);
    const TagSet = tags(20).toSorted((x, y) => (x.Key < y.Key ? -1 : 1));
    await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    await world.settled(Bucket);
    const read = await s3.send(new GetBucketTaggingCommand({ Bucket }));
    assert.deepEqual(
      read.TagSet!.toSorted((x, y) => (x.Key! < y.Key! ? -1 : 1)),
      TagSet,
    );
    await refusal(s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tags(51) } })), 'InvalidTag', 400);
    await s3.send(new DeleteBucketTaggingCommand({ Bucket }));
    await world.settled(Bucket);
    await refusal(s3.send(new GetBucketTaggingCommand({ Bucket })), 'NoSuchTagSet', 404);
  }),
];
