import type { Bucket, BucketEncryption, BucketSettings } from '../bucket.ts';
import type { CheckReport } from '../checking/report.ts';
import { objectError } from '../errors.ts';
import type { ObjectVersion } from '../object.ts';
import { standardClass } from '../storage-class.ts';

/** Values of the domain as the API shows them. */
export function bucketView({ name, owner, settings, version, createdAtMs }: Bucket) {
  return {
    name,
    owner,
    copies: settings.copies,
    durability: settings.durability,
    placement: settings.placement,
    required_labels: settings.requiredLabels,
    failure_domain: settings.failureDomain,
    versioning: settings.versioning,
    object_lock: settings.isLockEnabled,
    encryption: encryptionView(settings.encryption ?? null),
    compression: settings.compression ?? 'none',
    requests_per_second: settings.requestsPerSecond ?? null,
    bytes_per_second: settings.bytesPerSecond ?? null,
    version,
    created_at: new Date(createdAtMs).toISOString(),
  };
}

function encryptionView(encryption: BucketEncryption | null) {
  if (encryption === null) return null;
  if (encryption.kind === 'aes256') return { algorithm: 'AES256' as const, key_id: null };
  return { algorithm: 'aws:kms' as const, key_id: encryption.keyId };
}

function encryptionFrom(wish: EncryptionBody): BucketEncryption | null {
  if (wish === null) return null;
  if (wish.algorithm === 'aws:kms') return { kind: 'kms', keyId: wish.key_id ?? null };
  if (wish.key_id === undefined) return { kind: 'aes256' };
  throw objectError('InvalidArgument', { field: 'encryption' }, 'A key_id is for aws:kms only.');
}

type EncryptionBody = { readonly algorithm: string; readonly key_id?: string | undefined } | null;

export function objectView(version: ObjectVersion) {
  return {
    bucket: version.bucket,
    key: version.key,
    version_id: version.versionId,
    size_bytes: BigInt(version.sizeBytes),
    etag: version.etag,
    content_type: version.attributes.contentType,
    metadata: version.attributes.metadata,
    storage_class: version.storageClass ?? standardClass,
    modified_at: new Date(version.modifiedAtMs).toISOString(),
  };
}

export function checkView(report: CheckReport) {
  return {
    objects: report.objects,
    copies: report.copies,
    blobs: report.blobs,
    owed_copies: report.owedCopies,
    waiting_deletions: report.waitingDeletions,
    dead_letters: report.deadLetters,
    findings: [...report.findings],
    is_truncated: report.isTruncated,
  };
}

/** Fields of a request that are there, as settings. */
export function settingsFrom(wish: {
  readonly copies?: number | undefined;
  readonly durability?: string | undefined;
  readonly placement?: string | undefined;
  readonly required_labels?: Record<string, string> | undefined;
  readonly failure_domain?: string | null | undefined;
  readonly versioning?: string | undefined;
  readonly encryption?: EncryptionBody | undefined;
  readonly compression?: string | undefined;
  readonly requests_per_second?: number | null | undefined;
  readonly bytes_per_second?: number | null | undefined;
}): Partial<BucketSettings> {
  const {
    copies,
    durability,
    placement,
    required_labels: requiredLabels,
    failure_domain: failureDomain,
    versioning,
    compression,
    requests_per_second: requestsPerSecond,
    bytes_per_second: bytesPerSecond,
  } = wish;
  const encryption = wish.encryption === undefined ? undefined : encryptionFrom(wish.encryption);
  const placed = { copies, durability, placement, requiredLabels, failureDomain };
  const given = { ...placed, versioning, compression, encryption, requestsPerSecond, bytesPerSecond };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Partial<BucketSettings>;
}
