import assert from 'node:assert/strict';
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, refusal } from '../case.ts';
import type { World } from '../world.ts';

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: unknown;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: unknown;
}

/** Sets the policy of a bucket; a statement is about its objects by default. */
async function setPolicy(world: World, Bucket: string, ...statements: readonly Statement[]): Promise<void> {
  const Resource = `arn:aws:s3:::${Bucket}/*`;
  const Statement = statements.map((statement) => ({ Resource, ...statement }));
  await world.s3.send(
    new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
  );
  await world.settled(Bucket);
}

const publicRead = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject' } as const;
const anonymous = { as: null };

async function withObject(world: World): Promise<{ bucket: string; target: string }> {
  const bucket = await world.bucket();
  await world.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: 'content' }));
  return { bucket, target: `/${bucket}/k` };
}

const badPolicies: readonly string[] = [
  '',
  'no JSON',
  '{}',
  '{"Version":"2012-10-17","Statement":[]}',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}]}',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::another-bucket/*"}]}',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:Frobnicate","Resource":"arn:aws:s3:::BUCKET/*"}]}',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*","Condition":{"IpAdress":{"aws:SourceIp":"10.0.0.0/8"}}}]}',
];

export const policyCases: readonly Case[] = [
  acceptanceCase('a policy is kept as it came, given back and removed', async (world) => {
    const { s3 } = world;
    const { bucket: Bucket } = await withObject(world);
    await refusal(s3.send(new GetBucketPolicyCommand({ Bucket })), 'NoSuchBucketPolicy', 404);
    await setPolicy(world, Bucket, publicRead);
    const { Policy } = await s3.send(new GetBucketPolicyCommand({ Bucket }));
    assert.equal((JSON.parse(Policy!) as { Statement: Statement[] }).Statement[0]!.Action, 's3:GetObject');
    const status = async () => (await s3.send(new GetBucketPolicyStatusCommand({ Bucket }))).PolicyStatus!.IsPublic;
    assert.equal(await status(), true);
    await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
    await world.settled(Bucket);
    assert.equal(await status(), false);
    for (const text of badPolicies) {
      const body = text.replace('BUCKET', Bucket);
      const answer = await world.send({ method: 'PUT', target: `/${Bucket}?policy`, body });
      assert.deepEqual([text, answer.status, answer.code], [text, 400, 'MalformedPolicy']);
    }
    await refusal(s3.send(new GetBucketPolicyCommand({ Bucket })), 'NoSuchBucketPolicy', 404);
  }),
  acceptanceCase('a public bucket is read by anybody, and by nobody changed or listed', async (world) => {
    const { bucket, target } = await withObject(world);
    assert.equal((await world.send({ method: 'GET', target, ...anonymous })).status, 403);
    await setPolicy(world, bucket, publicRead);
    const read = await world.send({ method: 'GET', target, ...anonymous });
    assert.deepEqual([read.status, read.text], [200, 'content']);
    const others = [
      await world.send({ method: 'PUT', target, body: 'mine', ...anonymous }),
      await world.send({ method: 'DELETE', target, ...anonymous }),
      await world.send({ method: 'GET', target: `/${bucket}`, ...anonymous }),
      await world.send({ method: 'GET', target: `${target}?tagging`, ...anonymous }),
      await world.send({ method: 'GET', target: `/${bucket}?policy`, ...anonymous }),
      await world.send({ method: 'GET', target: `/${bucket}/absent`, ...anonymous }),
    ];
    assert.deepEqual(
      others.map(({ status }) => status),
      others.map(() => 403),
    );
    assert.equal((await world.send({ method: 'GET', target })).text, 'content');
  }),
  acceptanceCase(
    'what a policy denies is denied, whatever was granted, and the owner can still mend it',
    async (world) => {
      const { bucket, target } = await withObject(world);
      const reader = await world.someone(['read', 'list'], bucket);
      await setPolicy(world, bucket, publicRead, {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:*',
        Resource: [`arn:aws:s3:::${bucket}/k*`, `arn:aws:s3:::${bucket}`],
      });
      const statuses = [
        (await world.send({ method: 'GET', target, as: reader })).status,
        (await world.send({ method: 'GET', target, ...anonymous })).status,
        (await world.send({ method: 'GET', target })).status,
        (await world.send({ method: 'GET', target: `/${bucket}` })).status,
        (await world.send({ method: 'GET', target: `/${bucket}?policy` })).status,
      ];
      assert.deepEqual(statuses, [403, 403, 403, 403, 200]);
      await world.s3.send(new DeleteBucketPolicyCommand({ Bucket: bucket }));
      await world.settled(bucket);
      assert.equal((await world.send({ method: 'GET', target })).status, 200);
    },
  ),
  acceptanceCase('a policy allows a user by name, under its conditions', async (world) => {
    const { bucket, target } = await withObject(world);
    const friend = await world.someone(['read'], 'some-other-bucket');
    const stranger = await world.someone(['read'], 'some-other-bucket');
    const Principal = { AWS: `arn:aws:iam:::user/${friend.user}` };
    const Condition = { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' }, StringLike: { 'aws:UserAgent': 'tests/*' } };
    await setPolicy(world, bucket, { Effect: 'Allow', Principal, Action: ['s3:GetObject', 's3:PutObject'], Condition });
    const ask = (as: typeof friend, agent: string) =>
      world.send({ method: 'GET', target, as, headers: { 'user-agent': agent } });
    const answers = [await ask(friend, 'tests/1'), await ask(friend, 'other'), await ask(stranger, 'tests/1')];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 403, 403],
    );
  }),
  acceptanceCase('a block of public access stands against public policies', async (world) => {
    const { s3 } = world;
    const { bucket: Bucket, target } = await withObject(world);
    await setPolicy(world, Bucket, publicRead);
    const all = { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true };
    await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: all }));
    await world.settled(Bucket);
    assert.equal((await world.send({ method: 'GET', target, ...anonymous })).status, 403);
    await refusal(setPolicy(world, Bucket, publicRead), 'AccessDenied', 403);
  }),
];
