import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { copiesBeforeAck } from '../bucket.ts';
import { checkRead } from '../conditions.ts';
import type { ByteRange } from '../content/content.ts';
import { objectError } from '../errors.ts';
import type { CopyRequest } from '../gateway.ts';
import { shareContent } from '../ledger/share-content.ts';
import type { Copy, ObjectAttributes, ObjectVersion } from '../object.ts';
import { findVersionByContent, leastCopies, partsOf } from '../queries/queries.ts';
import type { Locator } from '../reading/locator.ts';
import { type OpenCopy, readCopy } from '../reading/read-copy.ts';
import { piecesOf, readParts } from '../reading/read-parts.ts';
import { type PutObjectOptions, putObject } from './put-object.ts';
import { orFound } from './unknown-commit.ts';

export interface CopyObjectOptions extends PutObjectOptions {
  readonly registry: ObjectBackendRegistry;
  readonly locator: Locator;
  onBadCopy(copy: Copy, reason: string): void;
}

/** How large a content that has to be written anew may be: what a single write may be. */
export const copyBytesMax = 5 * 1024 ** 3;

/**
 * Copies an object. Content never changes once it is written, so a copy shares it and no byte moves, as long as the copies
 * that stand are what the target bucket demands; else it is read and written anew.
 */
export async function copyObject(options: CopyObjectOptions, request: CopyRequest): Promise<ObjectVersion> {
  const { locator } = options;
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
  const hasChecksum =
    request.checksum === undefined ||
    source.attributes.checksums.some(({ algorithm }) => algorithm === request.checksum);
  const shared = hasChecksum ? await share(options, request, source) : null;
  return shared ?? rewrite(options, request, source);
}

/** Shares the content; `null` when the target bucket demands copies that do not stand, or the source changed. */
async function share(
  options: CopyObjectOptions,
  request: CopyRequest,
  source: ObjectVersion,
): Promise<ObjectVersion | null> {
  const { store, buckets, newId, clock } = options;
  const { bucket, key, tags, lock, actor, conditions } = request;
  const { settings } = await buckets.get(bucket);
  const contentId = source.contentId!;
  const hasPlaces = Object.keys(settings.requiredLabels).length > 0 && source.bucket !== bucket;
  const standing = await store.read((reader) => leastCopies(reader, contentId));
  if (hasPlaces || standing < copiesBeforeAck(settings)) return null;
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
    actor,
    nowMs: clock.nowMs(),
  };
  const from = { bucket: source.bucket, key: source.key, versionId: source.versionId };
  return orFound(
    store.write(shareContent, { source: from, version, copiesWanted: settings.copies, conditions }),
    async () => {
      const found = await store.read((reader) => findVersionByContent(reader, bucket, key, contentId));
      return found?.versionId === version.versionId ? found : null;
    },
  );
}

function attributesOf({ attributes }: CopyRequest, source: ObjectVersion): ObjectAttributes {
  return { ...(attributes ?? source.attributes), checksums: source.attributes.checksums };
}

async function rewrite(
  options: CopyObjectOptions,
  request: CopyRequest,
  source: ObjectVersion,
): Promise<ObjectVersion> {
  const { sizeBytes } = source;
  if (sizeBytes > copyBytesMax) throw objectError('EntityTooLarge', { maximum_bytes: copyBytesMax });
  const { bucket, key, tags, lock, actor, conditions, signal, checksum } = request;
  const { contentType, headers, metadata } = attributesOf(request, source);
  const open = await openSource(options, source, null, signal);
  try {
    return await putObject(options, {
      bucket,
      key,
      sizeBytes,
      content: open.content,
      attributes: { contentType, headers, metadata },
      tags: tags ?? source.tags,
      lock,
      conditions,
      actor,
      signal,
      ...(checksum === undefined ? {} : { checksums: [{ algorithm: checksum }] }),
    });
  } finally {
    open.cancel();
  }
}

/** Opens the content of a version, or a range of it, for reading. */
export async function openSource(
  { store, locator, registry, onBadCopy }: Pick<CopyObjectOptions, 'store' | 'locator' | 'registry' | 'onBadCopy'>,
  source: ObjectVersion,
  range: ByteRange | null,
  signal: AbortSignal,
): Promise<OpenCopy> {
  const reading = { registry, signal, onBadCopy };
  const parts = await store.read((reader) => partsOf(reader, source.contentId!, { after: 0, limit: 10_000 }));
  if (parts.length > 0) return readParts(store, source.contentId!, piecesOf(parts, range), reading);
  const { bucket, key, versionId } = source;
  const { copies } = await locator.find({ bucket, key, versionId });
  return readCopy(copies, range, reading);
}
