import assert from 'node:assert/strict';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { type Permission, permissions } from '../../../../src/objects/access/access.ts';
import { type Case, acceptanceCase } from '../case.ts';
import { type Operation, operations } from '../operations.ts';
import type { NamedCredentials, World } from '../world.ts';
import { textsOf } from '../wire.ts';

/** A bucket with one object, and a way to see that both are as they were. */
async function standingBucket(world: World): Promise<{ bucket: string; assertSame(): Promise<void> }> {
  const bucket = await world.bucket();
  await world.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: 'as it was', Tagging: 'x=y' }));
  const look = async () => {
    const read = await world.send({ method: 'GET', target: `/${bucket}/k` });
    const tags = await world.send({ method: 'GET', target: `/${bucket}/k?tagging` });
    const listing = await world.send({ method: 'GET', target: `/${bucket}?versions` });
    const uploads = await world.send({ method: 'GET', target: `/${bucket}?uploads` });
    const settings = ['policy', 'cors', 'lifecycle', 'tagging', 'versioning', 'object-lock', 'publicAccessBlock'];
    const texts = [read.text, tags.text, listing.text, uploads.text, String(read.headers.etag)];
    for (const name of settings) {
      const { status, code, text } = await world.send({ method: 'GET', target: `/${bucket}?${name}` });
      texts.push(status === 200 ? text : code);
    }
    return texts;
  };
  const before = await look();
  return { bucket, assertSame: async () => assert.deepEqual(await look(), before) };
}

async function refusedBy(
  world: World,
  asked: readonly Operation[],
  bucket: string,
  as: NamedCredentials | null,
): Promise<Record<string, string>> {
  const outcome: Record<string, string> = {};
  for (const operation of asked) {
    const answer = await world.send({ ...operation.ask(bucket), as });
    outcome[operation.name] = `${answer.status} ${answer.code}`.trim();
  }
  return outcome;
}

/** That all of them have this answer; those of HEAD have no code. */
function alike(asked: readonly Operation[], answer: string): Record<string, string> {
  return Object.fromEntries(
    asked.map(({ name, ask }) => [name, ask('b').method === 'HEAD' ? answer.slice(0, 3) : answer]),
  );
}

/** What a grant of one permission allows of the operations; these read or change nothing but what it is about. */
async function allowedBy(world: World, permission: Permission): Promise<void> {
  const { bucket, assertSame } = await standingBucket(world);
  const someone = await world.someone([permission], bucket);
  const others = operations.filter(
    ({ name, needs }) =>
      needs !== permission && needs !== 'anyone' && name !== 'DeleteObjects' && name !== 'PostObject',
  );
  assert.deepEqual(await refusedBy(world, others, bucket, someone), alike(others, '403 AccessDenied'));
  await assertSame();
  const own = operations.filter(({ needs }) => needs === permission && permission !== 'delete');
  for (const operation of own) {
    if (operation.name === 'CopyObject' || operation.name === 'UploadPartCopy' || operation.name === 'PostObject')
      continue;
    const answer = await world.send({ ...operation.ask(bucket), as: someone });
    assert.notEqual(answer.status, 403, `${operation.name}: ${answer.text}`);
  }
}

const onBuckets = operations.filter(({ name }) => name !== 'ListBuckets' && name !== 'CreateBucket');

export const accessCases: readonly Case[] = [
  acceptanceCase('every operation without a signature is denied and touches nothing', async (world) => {
    const { bucket, assertSame } = await standingBucket(world);
    const outcome = await refusedBy(world, operations, bucket, null);
    const expected = { ...alike(operations, '403 AccessDenied'), DeleteObjects: '200' };
    assert.deepEqual(outcome, expected);
    await assertSame();
  }),
  acceptanceCase('every operation with a key that may do nothing here is denied and touches nothing', async (world) => {
    const { bucket, assertSame } = await standingBucket(world);
    const elsewhere = await world.someone(permissions, 'some-other-bucket');
    const asked = operations.filter(({ needs }) => needs !== 'anyone');
    const outcome = await refusedBy(world, asked, bucket, elsewhere);
    const expected = { ...alike(asked, '403 AccessDenied'), DeleteObjects: '200', PostObject: '400 InvalidRequest' };
    assert.deepEqual(outcome, expected);
    await assertSame();
  }),
  acceptanceCase('every operation on a bucket that is not there is NoSuchBucket', async (world) => {
    const outcome = await refusedBy(world, onBuckets, 'no-such-bucket-at-all', world.owner);
    assert.deepEqual(outcome, alike(onBuckets, '404 NoSuchBucket'));
  }),
  acceptanceCase('every operation with a wrong secret is SignatureDoesNotMatch', async (world) => {
    const { bucket, assertSame } = await standingBucket(world);
    const forger = { ...world.owner, secret: 'A'.repeat(40) };
    const outcome = await refusedBy(world, operations, bucket, forger);
    assert.deepEqual(outcome, alike(operations, '403 SignatureDoesNotMatch'));
    await assertSame();
  }),
  acceptanceCase('a key that is not known is InvalidAccessKeyId', async (world) => {
    const as = { ...world.owner, accessKey: 'AKIAIOSFODNN7EXAMPLE' };
    const answer = await world.send({ method: 'GET', target: '/', as });
    assert.deepEqual([answer.status, answer.code], [403, 'InvalidAccessKeyId']);
    assert.deepEqual(textsOf(answer.text, 'AWSAccessKeyId'), ['AKIAIOSFODNN7EXAMPLE']);
  }),
  ...permissions.map((permission) =>
    acceptanceCase(`a key that may ${permission} may do that and nothing else`, (world) =>
      allowedBy(world, permission),
    ),
  ),
  acceptanceCase('a key that may not delete is told so for each key of DeleteObjects', async (world) => {
    const { bucket, assertSame } = await standingBucket(world);
    const reader = await world.someone(['list', 'read'], bucket);
    const many = operations.find(({ name }) => name === 'DeleteObjects')!;
    const answer = await world.send({ ...many.ask(bucket), as: reader });
    assert.equal(answer.status, 200);
    assert.deepEqual(textsOf(answer.text, 'Code'), ['AccessDenied']);
    await assertSame();
  }),
  acceptanceCase('a key that is not there is 404 for who may list, and 403 for who may not', async (world) => {
    const bucket = await world.bucket();
    const target = `/${bucket}/absent`;
    const reader = await world.someone(['read'], bucket);
    const lister = await world.someone(['read', 'list'], bucket);
    const hidden = await world.send({ method: 'GET', target, as: reader });
    const told = await world.send({ method: 'GET', target, as: lister });
    assert.deepEqual([hidden.status, hidden.code, told.status, told.code], [403, 'AccessDenied', 404, 'NoSuchKey']);
  }),
  acceptanceCase('somebody sees the buckets of their grants alone', async (world) => {
    const [mine, other] = [await world.bucket(), await world.bucket()];
    const someone = await world.someone(['read'], mine);
    const { text } = await world.send({ method: 'GET', target: '/', as: someone });
    const names = textsOf(text, 'Name');
    assert.ok(names.includes(mine) && !names.includes(other), names.join());
  }),
  acceptanceCase('a copy needs the right to read its source', async (world) => {
    const [from, to] = [await world.bucket(), await world.bucket()];
    await world.s3.send(new PutObjectCommand({ Bucket: from, Key: 'k', Body: 'secret' }));
    const writer = await world.someone(permissions, to);
    const headers = { 'x-amz-copy-source': `/${from}/k` };
    const answer = await world.send({ method: 'PUT', target: `/${to}/k`, headers, as: writer });
    assert.deepEqual([answer.status, answer.code], [403, 'AccessDenied']);
    const listing = await world.send({ method: 'GET', target: `/${to}` });
    assert.deepEqual(textsOf(listing.text, 'Key'), []);
  }),
];
