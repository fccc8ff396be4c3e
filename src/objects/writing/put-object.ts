import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import type { BucketSettings } from '../bucket.ts';
import { requireWritable } from '../conditions.ts';
import { describedVersion } from '../content/description.ts';
import { type ObjectEncryption, customerKeyOf } from '../encryption/encryption.ts';
import type { Buckets, PutRequest } from '../gateway.ts';
import { commitObject } from '../ledger/commit-object.ts';
import { findVersionRow } from '../ledger/find.ts';
import type { ObjectVersion } from '../object.ts';
import type { QuotaPicture } from '../quotas/picture.ts';
import { requireRoom } from '../quotas/require-room.ts';
import { findVersionByContent, locate } from '../queries/queries.ts';
import { type StorageClass, requireStorageClass, settingsIn, standardClass } from '../storage-class.ts';
import type { ContentWriter } from './content-writer.ts';
import { orFound } from './unknown-commit.ts';

export interface PutObjectOptions {
  readonly store: Store;
  readonly buckets: Buckets;
  readonly writer: ContentWriter;
  readonly encryption: ObjectEncryption;
  readonly quotas: QuotaPicture;
  /** Warmest first. */
  readonly storageClasses: readonly StorageClass[];
  readonly newId: IdSource;
  readonly clock: Clock;
  /** Hears how long a content in one buffer took, from the claim to the commit. */
  readonly onWrote?: ((tookMs: number) => void) | undefined;
}

/** Writes an object whole. */
export async function putObject(options: PutObjectOptions, request: PutRequest): Promise<ObjectVersion> {
  const { store, buckets, writer, encryption, newId, clock } = options;
  const { bucket, key, attributes: given, tags, lock, cause = 'put', actor, sizeBytes, conditions } = request;
  const { storageClass = standardClass } = request;
  requireStorageClass(options.storageClasses, storageClass);
  const settings = settingsIn((await buckets.get(bucket)).settings, options.storageClasses, storageClass);
  const applied = encryption.apply(request.encryption, settings);
  await checkEarly(options, request);
  await requireRoom(store, options.quotas, {
    bucket,
    owner: actor,
    sizeBytes,
    objects: 1,
    displaced: async () =>
      settings.versioning === 'enabled' ? null : store.read((reader) => displacedBy(reader, bucket, key)),
  });
  const contentId = newId('c');
  const dataKey = await encryption.newKey(applied, customerKeyOf(request.encryption), { contentId, part: 1 });
  const encoding = { key: dataKey, compression: compressionOf(settings) };
  const encrypted = applied === null ? {} : { encryption: applied };
  const attributes = { ...given, ...encrypted };
  const place = { bucket, key, contentId, part: 1, sizeBytes };
  const newVersionId = newId('v');
  const id = settings.versioning === 'enabled' ? newVersionId : 'null';
  const told = { version: describedVersion({ id, owner: actor, tags, lock, storageClass }), ...encrypted };
  const description = { ...place, attributes: given, createdAtMs: clock.nowMs(), ...told };
  const beganAtMs = performance.now();
  const made = await writer.write(
    request,
    { description, settings, encoding },
    async ({ write, written, digests, copiesWanted }) => {
      const { md5: etag, checksums } = digests;
      const nowMs = clock.nowMs();
      const content = { contentId, sizeBytes, etag, attributes: { ...attributes, checksums } };
      const version = {
        bucket,
        key,
        versionId: newVersionId,
        ...content,
        tags,
        lock,
        storageClass,
        cause,
        actor,
        nowMs,
      };
      const versionId = await orFound(
        store.write(commitObject, { version, written, write, copiesWanted, conditions }),
        async () =>
          (await store.read((reader) => findVersionByContent(reader, bucket, key, contentId)))?.versionId ?? null,
      );
      const identity = { bucket, key, versionId, isLatest: true, isMarker: false };
      return { ...identity, ...content, tags, lock, owner: actor, storageClass, modifiedAtMs: nowMs };
    },
  );
  if (Buffer.isBuffer(request.content)) options.onWrote?.(performance.now() - beganAtMs);
  return made;
}

/** What is small is compressed at once; what is not, later. */
export function compressionOf({ compression }: Pick<BucketSettings, 'compression'>): 'none' | 'when-small' {
  return compression === 'zstd' ? 'when-small' : 'none';
}

/** The version that a write without a version id takes the place of. */
async function displacedBy(
  reader: Reader,
  bucket: string,
  key: string,
): Promise<{ readonly owner: string; readonly sizeBytes: number } | null> {
  const row = await findVersionRow(reader, bucket, key, 'null');
  return row === null || row.is_marker === 1 ? null : { owner: row.owner, sizeBytes: row.size_bytes };
}

/**
 * Looks at the conditions before any byte is read: the commit asks them again, under the lock, and only that counts. Of
 * writers at once the first to commit wins, and the others are told 412 as those that come later are, as S3 does.
 */
async function checkEarly({ store }: PutObjectOptions, { bucket, key, conditions }: PutRequest): Promise<void> {
  if (conditions.ifMatch === undefined && conditions.ifNoneMatch === undefined) return;
  const located = await store.read((reader) => locate(reader, bucket, key, undefined));
  const standing = located === null || located.version.isMarker ? null : located.version;
  requireWritable(conditions, standing);
}
