import type { Permission, S3Action } from './access.ts';

/**
 * What an action needs: a permission that a grant gives, the ownership of the bucket, a user that may make buckets, or
 * any user at all.
 */
export type Need = Permission | 'owner' | 'create' | 'user';

/**
 * Actions of Amazon S3 by what they need
 * (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
 */
const byNeed: Readonly<Record<Need, readonly string[]>> = {
  user: ['ListAllMyBuckets'],
  create: ['CreateBucket'],
  // What clients ask before they do anything; it tells no more than a listing does.
  list: [
    'HeadBucket',
    'ListBucket',
    'ListBucketVersions',
    'ListBucketMultipartUploads',
    'ListMultipartUploadParts',
    'GetBucketLocation',
    'GetBucketVersioning',
    'GetBucketObjectLockConfiguration',
    'GetEncryptionConfiguration',
  ],
  read: [
    'GetObject',
    'GetObjectVersion',
    'GetObjectAttributes',
    'GetObjectVersionAttributes',
    'GetObjectAcl',
    'GetObjectVersionAcl',
    'GetObjectRetention',
    'GetObjectLegalHold',
    'GetObjectTorrent',
    'GetObjectVersionTorrent',
    'GetObjectVersionForReplication',
  ],
  write: [
    'PutObject',
    'PutObjectAcl',
    'PutObjectVersionAcl',
    'PutObjectRetention',
    'PutObjectLegalHold',
    'AbortMultipartUpload',
    'RestoreObject',
  ],
  delete: ['DeleteObject', 'DeleteObjectVersion'],
  tags: [
    'GetObjectTagging',
    'GetObjectVersionTagging',
    'PutObjectTagging',
    'PutObjectVersionTagging',
    'DeleteObjectTagging',
    'DeleteObjectVersionTagging',
    'GetBucketTagging',
    'PutBucketTagging',
  ],
  // How a bucket works, and who may do what there.
  owner: [
    'DeleteBucket',
    'BypassGovernanceRetention',
    'GetBucketPolicy',
    'GetBucketPolicyStatus',
    'PutBucketPolicy',
    'DeleteBucketPolicy',
    'GetBucketPublicAccessBlock',
    'PutBucketPublicAccessBlock',
    'GetBucketOwnershipControls',
    'PutBucketOwnershipControls',
    'GetBucketAcl',
    'PutBucketAcl',
    'PutBucketVersioning',
    'PutBucketObjectLockConfiguration',
    'GetBucketCORS',
    'PutBucketCORS',
    'GetLifecycleConfiguration',
    'PutLifecycleConfiguration',
    'PutEncryptionConfiguration',
    'GetBucketLogging',
    'PutBucketLogging',
    'GetBucketNotification',
    'PutBucketNotification',
    'GetBucketWebsite',
    'PutBucketWebsite',
    'DeleteBucketWebsite',
    'GetBucketRequestPayment',
    'PutBucketRequestPayment',
    'GetAccelerateConfiguration',
    'PutAccelerateConfiguration',
    'GetReplicationConfiguration',
    'PutReplicationConfiguration',
    'GetAnalyticsConfiguration',
    'PutAnalyticsConfiguration',
    'GetInventoryConfiguration',
    'PutInventoryConfiguration',
    'GetMetricsConfiguration',
    'PutMetricsConfiguration',
    'GetIntelligentTieringConfiguration',
    'PutIntelligentTieringConfiguration',
  ],
};

const needs: ReadonlyMap<string, Need> = new Map(
  (Object.entries(byNeed) as [Need, readonly string[]][]).flatMap(([need, names]) =>
    names.map((name): [string, Need] => [`s3:${name}`, need]),
  ),
);

/** Rights over the policy, which an owner keeps whatever the policy says: otherwise a mistake in it could not be mended. */
const ofPolicy: ReadonlySet<string> = new Set(['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy']);

/** What an action needs; `null` for one that is not known, which nobody may do. */
export function needOf(action: S3Action): Need | null {
  return needs.get(action) ?? null;
}

/** Whether the owner may do that even where the bucket's policy denies it. */
export function isPolicyAction(action: S3Action): boolean {
  return ofPolicy.has(action);
}

/** The action by which policies know it: asking whether a bucket is there is listing it. */
export function policyActionOf(action: S3Action): S3Action {
  return action === 's3:HeadBucket' ? 's3:ListBucket' : action;
}

/** Every action that is known. */
export function knownActions(): readonly S3Action[] {
  return [...needs.keys()] as S3Action[];
}
