import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { copiesBeforeAck } from '../bucket.ts';
import { checkRead } from '../conditions.ts';
import type { ByteRange } from '../content/content.ts';
import { requireCustomerKey } from '../encryption/encryption.ts';
import { objectError } from '../errors.ts';
import type { CopyRequest } from '../gateway.ts';
import { shareContent } from '../ledger/share-content.ts';
import type { AppliedEncryption, Copy, ObjectAttributes, ObjectVersion } from '../object.ts';
import { copiesOf, findVersionByContent, leastCopies, partsOf } from '../queries/queries.ts';
import type { Hedging } from '../reading/hedge.ts';
import type { Locator } from '../reading/locator.ts';
import { type OpenCopy, type ReadCopyOptions, readCopy } from '../reading/read-copy.ts';
import { piecesOf, readParts } from '../reading/read-parts.ts';
import { requireStorageClass, standardClass } from '../storage-class.ts';
import { type PutObjectOptions, putObject } from './put-object.ts';
import { orFound } from './unknown-commit.ts';

export interface CopyObjectOptions extends PutObjectOptions {
  readonly registry: ObjectBackendRegistry;
  readonly locator: Locator;
  readonly hedging?: Hedging | undefined;
  onBadCopy(copy: Copy, reason: string): void;
}

/** How large a content that has to be written anew may be: what a single write may be. */
export const copyBytesMax = 5 * 1024 ** 3;

/** How often a copy begins anew because its source was overwritten under it. */
const attemptsMax = 5;

/**
 * Copies an object. Content never changes once it is written, so a copy shares it and no byte moves, as long as the copies
 * that stand are what the target bucket demands; else it is read and written anew. Throws `OperationAborted` when the source
 * is overwritten all the time.
 */
export async function copyObject(options: CopyObjectOptions, request: CopyRequest): Promise<ObjectVersion> {
  requireStorageClass(options.storageClasses, request.storageClass ?? standardClass);
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const source = await findSource(options, request);
    const made = (await share(options, request, source)) ?? (await rewrite(options, request, source));
    if (made !== 'changed') return made;
  }
  throw objectError('OperationAborted');
}

async function findSource({ locator }: CopyObjectOptions, request: CopyRequest): Promise<ObjectVersion> {
  const { version: source } = await locator.find(request.source);
  if (source.isMarker) {
    throw request.source.versionId === undefined
      ? objectError('NoSuchKey', { key: source.key })
      : objectError(
          'InvalidRequest',
          {},
          'The source of a copy request may not specifically refer to a delete marker.',
        );
  }
  // A copy has no "not modified": whatever does not hold is a failed condition.
  if (checkRead(request.sourceConditions, source) !== 'ok') throw objectError('PreconditionFailed');
  requireCustomerKey(source.attributes.encryption, request.sourceKey);
  return source;
}

/** Shares the content; `null` when the copies that stand are not what is demanded, `changed` when the source is another. */
async function share(
  options: CopyObjectOptions,
  request: CopyRequest,
  source: ObjectVersion,
): Promise<ObjectVersion | 'changed' | null> {
  const { store, buckets, encryption, newId, clock } = options;
  const { bucket, key, tags, lock, actor, conditions, checksum } = request;
  const { settings } = await buckets.get(bucket);
  const applied = encryption.apply(request.encryption, settings);
  if (!isSameEncryption(applied, source.attributes.encryption ?? null)) return null;
  const contentId = source.contentId!;
  const hasChecksum =
    checksum === undefined || source.attributes.checksums.some(({ algorithm }) => algorithm === checksum);
  const { storageClass = standardClass } = request;
  const isMoving = storageClass !== (source.storageClass ?? standardClass);
  // What takes the place of its source may share its bytes until they are moved; another object would draw them with it.
  const isItself = source.bucket === bucket && source.key === key;
  const hasPlaces = Object.keys(settings.requiredLabels).length > 0 && source.bucket !== bucket;
  if (hasPlaces || !hasChecksum || (isMoving && !isItself)) return null;
  const standing = await store.read((reader) => leastCopies(reader, contentId));
  if (standing < copiesBeforeAck(settings)) return null;
  const { sizeBytes, etag } = source;
  const version = {
    bucket,
    key,
    versionId: newId('v'),
    contentId,
    sizeBytes,
    etag,
    attributes: attributesOf(request, source),
    tags: tags ?? source.tags,
    lock,
    storageClass,
    cause: 'copy' as const,
    actor,
    nowMs: clock.nowMs(),
  };
  const from = { bucket: source.bucket, key: source.key, versionId: source.versionId };
  const made = await orFound(
    store.write(shareContent, { source: from, version, copiesWanted: settings.copies, isMoving, conditions }),
    async () => {
      const found = await store.read((reader) => findVersionByContent(reader, bucket, key, contentId));
      return found?.versionId === version.versionId ? found : null;
    },
  );
  return made ?? 'changed';
}

/** Attributes of a copy that shares the content, and so is encrypted as its source is. */
function attributesOf({ attributes }: CopyRequest, source: ObjectVersion): ObjectAttributes {
  const { contentType, headers, metadata } = attributes ?? source.attributes;
  return { ...source.attributes, contentType, headers, metadata };
}

/** What stands may be shared when it is what was wished; what is under a customer's key never is. */
function isSameEncryption(wished: AppliedEncryption | null, standing: AppliedEncryption | null): boolean {
  if (wished?.kind === 'kms' && standing?.kind === 'kms') return wished.keyId === standing.keyId;
  return wished?.kind === standing?.kind && wished?.kind !== 'customer';
}

async function rewrite(
  options: CopyObjectOptions,
  request: CopyRequest,
  source: ObjectVersion,
): Promise<ObjectVersion | 'changed'> {
  const { sizeBytes } = source;
  if (sizeBytes > copyBytesMax) throw objectError('EntityTooLarge', { maximum_bytes: copyBytesMax });
  const { bucket, key, tags, lock, storageClass, actor, conditions, signal, checksum } = request;
  const { contentType, headers, metadata } = attributesOf(request, source);
  const open = await openSource(options, source, null, { signal, customerKey: request.sourceKey });
  if (open === null) return 'changed';
  try {
    return await putObject(options, {
      bucket,
      key,
      sizeBytes,
      content: open.content,
      attributes: { contentType, headers, metadata },
      encryption: request.encryption,
      tags: tags ?? source.tags,
      lock,
      storageClass,
      conditions,
      cause: 'copy',
      actor,
      signal,
      ...(checksum === undefined ? {} : { checksums: [{ algorithm: checksum }] }),
    });
  } finally {
    open.cancel();
  }
}

export type SourceOptions = Pick<CopyObjectOptions, 'store' | 'registry' | 'encryption' | 'hedging' | 'onBadCopy'>;

/** Opens the content of a version, or a range of it, for reading; `null` when it has been released since. */
export async function openSource(
  { store, registry, encryption, hedging, onBadCopy }: SourceOptions,
  source: ObjectVersion,
  range: ByteRange | null,
  given: Pick<ReadCopyOptions, 'signal' | 'customerKey'>,
): Promise<OpenCopy | null> {
  const reading = { registry, encryption, hedging, onBadCopy, ...given };
  const contentId = source.contentId!;
  const parts = await store.read((reader) => partsOf(reader, contentId, { after: 0, limit: 10_000 }));
  if (parts.length > 0) return readParts(store, contentId, piecesOf(parts, range), reading);
  // By the content, since the key may stand for another one by now.
  const copies = await store.read((reader) => copiesOf(reader, contentId, 1));
  return copies.length === 0 ? null : readCopy(copies, range, reading);
}
