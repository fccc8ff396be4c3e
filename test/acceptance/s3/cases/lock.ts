import assert from 'node:assert/strict';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, refusal } from '../case.ts';
import type { World } from '../world.ts';

const dayMs = 86_400_000;
const after = (ms: number) => new Date(Math.ceil((Date.now() + ms) / 1000) * 1000);

async function lockedObject(world: World, more: object = {}) {
  const Bucket = await world.bucket({ isLocked: true });
  const { VersionId } = await world.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'content', ...more }));
  return { Bucket, Key: 'k', VersionId };
}

const governance = (ms: number) => ({ Retention: { Mode: 'GOVERNANCE' as const, RetainUntilDate: after(ms) } });
const compliance = (ms: number) => ({ Retention: { Mode: 'COMPLIANCE' as const, RetainUntilDate: after(ms) } });

export const lockCases: readonly Case[] = [
  acceptanceCase('governance keeps a version until it is bypassed by who may', async (world) => {
    const { s3 } = world;
    const version = await lockedObject(world);
    const retention = governance(dayMs);
    await s3.send(new PutObjectRetentionCommand({ ...version, ...retention }));
    assert.deepEqual((await s3.send(new GetObjectRetentionCommand(version))).Retention, retention.Retention);
    await refusal(s3.send(new DeleteObjectCommand(version)), 'AccessDenied', 403);
    await refusal(
      s3.send(new PutObjectRetentionCommand({ ...version, ...governance(dayMs / 2) })),
      'AccessDenied',
      403,
    );
    await s3.send(new PutObjectRetentionCommand({ ...version, ...governance(2 * dayMs) }));
    const writer = world.client(await world.someone(['list', 'read', 'write', 'delete'], version.Bucket));
    const bypassing = new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true });
    await refusal(writer.send(bypassing), 'AccessDenied', 403);
    const shorter = { ...version, ...governance(dayMs), BypassGovernanceRetention: true };
    await s3.send(new PutObjectRetentionCommand(shorter));
    await s3.send(bypassing);
    await refusal(s3.send(new HeadObjectCommand(version)), 'NotFound', 404);
  }),
  acceptanceCase('compliance keeps a version from everybody until its time is over', async (world) => {
    const { s3 } = world;
    const version = await lockedObject(world);
    // Longer than all that follows, since it must not be over before; clearing waits for its end.
    await s3.send(new PutObjectRetentionCommand({ ...version, ...compliance(12_000) }));
    const bypassing = { ...version, BypassGovernanceRetention: true };
    await refusal(s3.send(new DeleteObjectCommand(bypassing)), 'AccessDenied', 403);
    await refusal(s3.send(new PutObjectRetentionCommand({ ...bypassing, ...compliance(6_000) })), 'AccessDenied', 403);
    await refusal(s3.send(new PutObjectRetentionCommand({ ...bypassing, ...governance(24_000) })), 'AccessDenied', 403);
    await refusal(s3.send(new PutObjectRetentionCommand({ ...bypassing, Retention: {} })), 'AccessDenied', 403);
    await s3.send(new PutObjectRetentionCommand({ ...version, ...compliance(13_000) }));
  }),
  acceptanceCase('a legal hold keeps a version until it is lifted', async (world) => {
    const { s3 } = world;
    const version = await lockedObject(world);
    const status = async () => (await s3.send(new GetObjectLegalHoldCommand(version))).LegalHold?.Status;
    assert.equal(await status(), 'OFF');
    await s3.send(new PutObjectLegalHoldCommand({ ...version, LegalHold: { Status: 'ON' } }));
    assert.equal(await status(), 'ON');
    const bypassing = new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true });
    await refusal(s3.send(bypassing), 'AccessDenied', 403);
    const marked = await s3.send(new DeleteObjectCommand({ Bucket: version.Bucket, Key: 'k' }));
    assert.equal(marked.DeleteMarker, true, 'a marker hides it, and deletes nothing');
    await s3.send(new PutObjectLegalHoldCommand({ ...version, LegalHold: { Status: 'OFF' } }));
    await s3.send(new DeleteObjectCommand(version));
  }),
  acceptanceCase('a write may bring its lock, else it gets the bucket’s', async (world) => {
    const { s3 } = world;
    const lock = {
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockRetainUntilDate: after(dayMs),
      ObjectLockLegalHoldStatus: 'ON',
    } as const;
    const version = await lockedObject(world, lock);
    const head = await s3.send(new HeadObjectCommand(version));
    assert.deepEqual(
      [head.ObjectLockMode, head.ObjectLockRetainUntilDate, head.ObjectLockLegalHoldStatus],
      [lock.ObjectLockMode, lock.ObjectLockRetainUntilDate, 'ON'],
    );
    const { Bucket } = version;
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 2 } } as const;
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const;
    await s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
    await world.settled(Bucket);
    const read = await s3.send(new GetObjectLockConfigurationCommand({ Bucket }));
    assert.deepEqual(read.ObjectLockConfiguration, ObjectLockConfiguration);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'default', Body: 'x' }));
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/k` }));
    for (const Key of ['default', 'copy']) {
      const { Retention } = await s3.send(new GetObjectRetentionCommand({ Bucket, Key }));
      assert.equal(Retention!.Mode, 'GOVERNANCE');
      const days = (Retention!.RetainUntilDate!.getTime() - Date.now()) / dayMs;
      assert.ok(days > 1.9 && days <= 2, `${Key}: ${days}`);
    }
  }),
  acceptanceCase('a bucket without object lock takes no locks', async (world) => {
    const { s3 } = world;
    const at = { Bucket: await world.bucket(), Key: 'k' };
    await s3.send(new PutObjectCommand({ ...at, Body: 'x' }));
    await refusal(
      s3.send(new GetObjectLockConfigurationCommand({ Bucket: at.Bucket })),
      'ObjectLockConfigurationNotFoundError',
      404,
    );
    await refusal(s3.send(new PutObjectRetentionCommand({ ...at, ...governance(dayMs) })), 'InvalidRequest', 400);
    await refusal(
      s3.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'ON' } })),
      'InvalidRequest',
      400,
    );
    await refusal(s3.send(new GetObjectRetentionCommand(at)), 'InvalidRequest', 400);
    const headers = { 'x-amz-object-lock-legal-hold': 'ON' };
    const put = await world.send({ method: 'PUT', target: `/${at.Bucket}/k2`, body: 'x', headers });
    assert.deepEqual([put.status, put.code], [400, 'InvalidRequest']);
    assert.equal((await world.send({ method: 'HEAD', target: `/${at.Bucket}/k2` })).status, 404);
    const config = new PutObjectLockConfigurationCommand({
      Bucket: at.Bucket,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' },
    });
    await refusal(s3.send(config), 'InvalidBucketState', 409);
  }),
  acceptanceCase('locks that make no sense are refused', async (world) => {
    const { s3 } = world;
    const version = await lockedObject(world);
    const { Bucket } = version;
    await refusal(s3.send(new GetObjectRetentionCommand(version)), 'NoSuchObjectLockConfiguration', 404);
    await refusal(
      s3.send(new PutObjectRetentionCommand({ ...version, ...governance(-dayMs) })),
      'InvalidArgument',
      400,
    );
    const half = { 'x-amz-object-lock-mode': 'GOVERNANCE' };
    const wrong = {
      'x-amz-object-lock-mode': 'STRICT',
      'x-amz-object-lock-retain-until-date': after(dayMs).toISOString(),
    };
    const dateless = { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': 'tomorrow' };
    for (const headers of [half, wrong, dateless]) {
      const { status, code } = await world.send({ method: 'PUT', target: `/${Bucket}/k2`, body: 'x', headers });
      assert.deepEqual([status, code], [400, 'InvalidArgument'], JSON.stringify(headers));
    }
    const suspended = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>';
    const answer = await world.send({ method: 'PUT', target: `/${Bucket}?versioning`, body: suspended });
    assert.deepEqual([answer.status, answer.code], [409, 'InvalidBucketState']);
    for (const rule of [
      '<Mode>GOVERNANCE</Mode>',
      '<Mode>GOVERNANCE</Mode><Days>0</Days>',
      '<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>',
    ]) {
      const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>${rule}</DefaultRetention></Rule></ObjectLockConfiguration>`;
      const { status } = await world.send({ method: 'PUT', target: `/${Bucket}?object-lock`, body });
      assert.equal(status, 400, rule);
    }
  }),
];
