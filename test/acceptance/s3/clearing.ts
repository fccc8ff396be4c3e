import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutObjectLegalHoldCommand,
} from '@aws-sdk/client-s3';
import { contract } from '../../../src/contract.ts';
import { until } from '../../support/wait.ts';
import { pageNumbers, withEach } from './case.ts';
import type { RunningRig } from './rig.ts';
import type { World } from './world.ts';

const keepers = ['object-intents', 'object-replicator', 'object-cleanup'];
const timeoutMs = 60_000;
/** So many buckets are emptied at a time. */
const bucketsAtOnce = 12;

/** Empties a gateway as a user would, lets the keepers do their work, and looks for anything that is still there. */
export async function assertNothingLeft(world: World): Promise<void> {
  const { rig, s3 } = world;
  const before = await check(rig);
  assert.deepEqual(before.findings, [], 'before anything is deleted');
  const { Buckets: buckets = [] } = await s3.send(new ListBucketsCommand({}));
  await withEach(buckets, bucketsAtOnce, ({ Name: bucket }) => removeBucket(world, bucket!));
  await assertEmpty(rig);
}

/** Waits until the keepers have deleted all bytes; fails with what stays. */
export async function assertEmpty(rig: RunningRig): Promise<void> {
  const { api } = rig.gateways[0]!;
  let last: Awaited<ReturnType<typeof check>> | null = null;
  const isEmpty = async () => {
    for (const name of keepers) await api.call(contract.runKeeper, { params: { name } });
    last = await check(rig);
    return isDeepStrictEqual(last, nothing) && (await rig.remains()).length === 0;
  };
  await until('nothing is left', async () => (await isEmpty()) || delay(100, false), timeoutMs).catch(() => undefined);
  assert.deepEqual(last, nothing);
  assert.deepEqual(await rig.remains(), [], 'on the backends');
}

/** Deletions too: those of writes whose end nobody saw are made twice, a second apart on these servers. */
const nothing = {
  objects: 0,
  copies: 0,
  blobs: 0,
  owed_copies: 0,
  waiting_deletions: 0,
  dead_letters: 0,
  findings: [],
  is_truncated: false,
};

function check({ gateways }: RunningRig) {
  return gateways[0]!.api.call(contract.checkGateway, { body: { deep: true } });
}

async function removeBucket({ s3, owner }: World, bucket: string): Promise<void> {
  const Bucket = bucket;
  await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
  for (const _ of pageNumbers()) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, EncodingType: 'url' }));
    const versions = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    for (const { Key, VersionId } of versions) await removeVersion(s3, { Bucket, Key: decode(Key!), VersionId });
    if (page.IsTruncated !== true) break;
  }
  const { Uploads: uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket, EncodingType: 'url' }));
  for (const { Key, UploadId } of uploads) {
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: decode(Key!), UploadId }));
  }
  await s3.send(new DeleteBucketCommand({ Bucket, ExpectedBucketOwner: owner.userId }));
}

async function removeVersion(
  s3: World['s3'],
  version: { readonly Bucket: string; readonly Key: string; readonly VersionId: string | undefined },
): Promise<void> {
  const remove = new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true });
  const isRemoved = () =>
    s3.send(remove).then(
      () => true,
      () => false,
    );
  if (await isRemoved()) return;
  await s3.send(new PutObjectLegalHoldCommand({ ...version, LegalHold: { Status: 'OFF' } })).catch(() => undefined);
  // Compliance ends by itself alone; the cases ask for seconds of it.
  await until(`${version.Bucket}/${version.Key} can be deleted`, isRemoved);
}

function decode(key: string): string {
  return decodeURIComponent(key);
}
