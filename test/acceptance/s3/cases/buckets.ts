import assert from 'node:assert/strict';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketLocationCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, pageNumbers, refusal } from '../case.ts';
import { textsOf } from '../wire.ts';

const badNames: readonly (readonly [what: string, name: string])[] = [
  ['two characters', 'ab'],
  ['64 characters', 'a'.repeat(64)],
  ['capitals', 'Capital'],
  ['an underscore', 'under_score'],
  ['the form of an address', '192.168.5.4'],
  ['a dot beside a dot', 'two..dots'],
  ['a hyphen at its end', 'hyphen-'],
  ['a dot at its beginning', '.dot'],
  ['a prefix that AWS keeps for itself', 'xn--name'],
  ['a suffix that AWS keeps for itself', 'name-s3alias'],
];

export const bucketCases: readonly Case[] = [
  acceptanceCase('a bucket is made, found, listed and deleted', async (world) => {
    const { s3 } = world;
    const Bucket = world.bucketName();
    await refusal(s3.send(new HeadBucketCommand({ Bucket })), 'NotFound', 404);
    const made = await s3.send(new CreateBucketCommand({ Bucket }));
    assert.equal(made.Location, `/${Bucket}`);
    const head = await s3.send(new HeadBucketCommand({ Bucket }));
    assert.equal(head.BucketRegion, 'us-east-1');
    const { Buckets = [], Owner } = await s3.send(new ListBucketsCommand({ Prefix: Bucket }));
    assert.ok(Buckets.some(({ Name }) => Name === Bucket));
    assert.equal(Owner?.ID, world.owner.userId);
    assert.ok(Math.abs(Date.now() - Buckets[0]!.CreationDate!.getTime()) < 60_000);
    await s3.send(new DeleteBucketCommand({ Bucket }));
    await world.settled(Bucket).catch(() => undefined);
    await refusal(s3.send(new DeleteBucketCommand({ Bucket })), 'NoSuchBucket', 404);
  }),
  acceptanceCase('buckets are listed page by page', async (world) => {
    const made = [await world.bucket(), await world.bucket(), await world.bucket()].toSorted();
    const seen: string[] = [];
    let ContinuationToken: string | undefined;
    for (const _ of pageNumbers(500)) {
      const page = await world.s3.send(
        new ListBucketsCommand({ MaxBuckets: 2, ...(ContinuationToken === undefined ? {} : { ContinuationToken }) }),
      );
      assert.ok(page.Buckets!.length <= 2);
      seen.push(...page.Buckets!.map(({ Name }) => Name!));
      ({ ContinuationToken } = page);
      if (ContinuationToken === undefined) break;
    }
    assert.deepEqual(seen, seen.toSorted());
    assert.deepEqual(
      made.filter((name) => seen.includes(name)),
      made,
    );
    assert.equal(new Set(seen).size, seen.length);
  }),
  acceptanceCase('a bucket that is not empty stays', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'content' }));
    await refusal(s3.send(new DeleteBucketCommand({ Bucket })), 'BucketNotEmpty', 409);
  }),
  acceptanceCase(
    'trap 26: the location of us-east-1 is empty, and making a bucket of one’s own again succeeds there',
    async (world) => {
      const { s3 } = world;
      const Bucket = await world.bucket();
      assert.equal((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint, undefined);
      const { text } = await world.send({ method: 'GET', target: `/${Bucket}?location` });
      assert.match(text, /<LocationConstraint xmlns="[^"]*"(\/>|><\/LocationConstraint>)/);
      await s3.send(new CreateBucketCommand({ Bucket }));
      const other = world.client(await world.someone(['write', 'list']));
      await refusal(other.send(new CreateBucketCommand({ Bucket })), 'BucketAlreadyExists', 409);
      const body =
        '<CreateBucketConfiguration><LocationConstraint>mars-north-1</LocationConstraint></CreateBucketConfiguration>';
      const elsewhere = await world.send({ method: 'PUT', target: '/elsewhere', body });
      assert.deepEqual([elsewhere.status, elsewhere.code], [400, 'IllegalLocationConstraintException']);
    },
  ),
  ...badNames.map(([what, name]) =>
    acceptanceCase(`trap 28: a bucket name with ${what} is refused`, async (world) => {
      const answer = await world.send({ method: 'PUT', target: `/${name}` });
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidBucketName']);
    }),
  ),
  acceptanceCase('trap 27: an error of HEAD has its status and no body', async (world) => {
    const Bucket = await world.bucket();
    for (const target of ['/no-such-bucket-here', `/${Bucket}/no-such-key`]) {
      const answer = await world.send({ method: 'HEAD', target });
      assert.equal(answer.status, 404);
      assert.equal(answer.body.length, 0);
      assert.ok(answer.headers['x-amz-request-id']);
    }
  }),
  acceptanceCase('trap 31: every answer has request ids, an error tells them in its body too', async (world) => {
    const Bucket = await world.bucket();
    const good = await world.send({ method: 'GET', target: `/${Bucket}` });
    const bad = await world.send({ method: 'GET', target: `/${Bucket}/no-such-key` });
    assert.deepEqual([good.status, bad.status], [200, 404]);
    for (const { headers } of [good, bad]) {
      assert.match(String(headers['x-amz-request-id']), /^[0-9A-Z]{16}$/);
      assert.ok(String(headers['x-amz-id-2']).length > 10);
    }
    assert.notEqual(good.headers['x-amz-request-id'], bad.headers['x-amz-request-id']);
    assert.deepEqual(textsOf(bad.text, 'RequestId'), [bad.headers['x-amz-request-id']]);
    assert.deepEqual(textsOf(bad.text, 'HostId'), [bad.headers['x-amz-id-2']]);
    assert.deepEqual(textsOf(bad.text, 'Key'), ['no-such-key']);
  }),
];
