import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Store } from '../kernel/store/store.ts';
import type { ObjectBackendRegistry } from './backends/registry.ts';
import { copyObject } from './writing/copy-object.ts';
import type { Buckets, Objects, OpenObject, PutRequest, ReadRequest } from './gateway.ts';
import { type ObjectEncryption, requireCustomerKey } from './encryption/encryption.ts';
import { objectError, s3CodeOf } from './errors.ts';
import { requireKey } from './keys.ts';
import { changeObject } from './ledger/change-object.ts';
import { removeObject } from './ledger/remove-object.ts';
import type { Copy, ObjectVersion } from './object.ts';
import type { QuotaPicture } from './quotas/picture.ts';
import { listObjectVersions, listObjects } from './queries/listing.ts';
import { partsOf } from './queries/queries.ts';
import type { ContentCache } from './reading/cache.ts';
import type { Hedging } from './reading/hedge.ts';
import type { Found, Locator } from './reading/locator.ts';
import { type ReadCopyOptions, readCopy } from './reading/read-copy.ts';
import { piecesOf, readParts } from './reading/read-parts.ts';
import { type StorageClass, requireStorageClass, standardClass } from './storage-class.ts';
import type { ContentWriter } from './writing/content-writer.ts';
import { putObject } from './writing/put-object.ts';

/** How many parts an object can have. */
export const partsMax = 10_000;
const lockAttemptsMax = 10;

export interface ObjectsOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly buckets: Buckets;
  readonly writer: ContentWriter;
  readonly encryption: ObjectEncryption;
  /** Warmest first. */
  readonly storageClasses: readonly StorageClass[];
  readonly locator: Locator;
  readonly quotas: QuotaPicture;
  readonly newId: IdSource;
  readonly clock: Clock;
  readonly hedging?: Hedging | undefined;
  readonly cache?: ContentCache | undefined;
  onBadCopy(copy: Copy, reason: string): void;
}

/** Objects: what is put, read, copied, listed and removed. */
export function createObjects(options: ObjectsOptions): Objects {
  const { store, buckets, encryption, locator, newId, clock } = options;
  return {
    checkEncryption: (wish) => void encryption.apply(wish, {}),
    checkStorageClass: (name = standardClass) => requireStorageClass(options.storageClasses, name),
    async put(request: PutRequest) {
      requireKey(request.key);
      const version = await putObject(options, request);
      locator.forget(request.bucket, request.key);
      return version;
    },
    async stat(ref) {
      return (await locator.find(ref)).version;
    },
    async find(ref) {
      const { version, isStale } = await locator.find(ref);
      return { version, isStale };
    },
    open: (request) => openObject(options, request),
    async parts({ contentId }, page) {
      return contentId === null ? [] : store.read((reader) => partsOf(reader, contentId, page));
    },
    async remove({ bucket, key, versionId }, { actor, conditions, bypassGovernance }) {
      requireKey(key);
      const cause = { markerId: newId('v'), actor, nowMs: clock.nowMs() };
      try {
        return await store.write(removeObject, { bucket, key, versionId, conditions, bypassGovernance, ...cause });
      } finally {
        // Afterwards, since a read meanwhile would remember it anew; and also when nobody knows how the write ended.
        locator.forget(bucket, key, versionId);
      }
    },
    async copy(request) {
      requireKey(request.key);
      const version = await copyObject(options, request);
      locator.forget(request.bucket, request.key);
      return version;
    },
    async list(request) {
      await buckets.get(request.bucket);
      return store.read((reader) => listObjects(reader, request));
    },
    async listVersions(request) {
      await buckets.get(request.bucket);
      return store.read((reader) => listObjectVersions(reader, request));
    },
    async setTags({ bucket, key, versionId }, tags, actor) {
      return store.write(changeObject, { bucket, key, versionId, tags, actor, nowMs: clock.nowMs() });
    },
    async setLock(ref, change, { actor }) {
      for (let attempt = 1; ; attempt++) {
        const { version } = await locator.find(ref);
        const to = change(version.lock ?? { retention: null, isLegalHold: false });
        const lock = { from: version.lock, to };
        const { bucket, key, versionId } = version;
        try {
          return await store.write(changeObject, { bucket, key, versionId, lock, actor, nowMs: clock.nowMs() });
        } catch (error) {
          const isRaced = (error as { details?: { s3?: unknown } }).details?.s3 === 'OperationAborted';
          if (!isRaced || attempt === lockAttemptsMax) throw error;
        }
      }
    },
  };
}

/** How often a read begins anew because its object was overwritten before its bytes were opened. */
const openAttemptsMax = 5;

async function openObject(options: ObjectsOptions, request: ReadRequest): Promise<OpenObject> {
  const { locator } = options;
  let found = await locator.find(request);
  for (let attempt = 1; ; attempt++) {
    try {
      return await openFound(options, request, found);
    } catch (error) {
      if (s3CodeOf(error) !== 'ServiceUnavailable' || found.isStale || attempt === openAttemptsMax) throw error;
      const { contentId } = found.version;
      found = await locator.find(request);
      if (found.version.contentId === contentId) throw error;
    }
  }
}

async function openFound(options: ObjectsOptions, request: ReadRequest, found: Found): Promise<OpenObject> {
  const { store, registry, encryption, hedging, cache, onBadCopy } = options;
  const { version, copies, isStale } = found;
  if (version.isMarker) throw markerError(version, request.versionId !== undefined);
  request.check?.(version);
  const { customerKey } = request;
  requireCustomerKey(version.attributes.encryption, customerKey);
  const { contentId } = version;
  const isInParts = isMultipart(version);
  const parts = isInParts
    ? await store.read((reader) => partsOf(reader, contentId!, { after: 0, limit: partsMax }))
    : [];
  // Parts go with their content, when it is overwritten or deleted meanwhile.
  if (isInParts && parts.reduce((sum, part) => sum + part.sizeBytes, 0) !== version.sizeBytes) {
    throw objectError('ServiceUnavailable', {}, 'The object is not there any more; try again.');
  }
  const range = request.range(version, parts);
  const { signal } = request;
  const reading: ReadCopyOptions = { registry, encryption, customerKey, hedging, cache, signal, onBadCopy };
  const open = isInParts
    ? await readParts(store, contentId!, piecesOf(parts, range), reading)
    : await readCopy(copies, range, reading);
  return { version, range, isStale, content: open.content, cancel: open.cancel };
}

/** Whether the content stands in parts, as what was uploaded in parts does. */
export function isMultipart(version: ObjectVersion): boolean {
  return version.etag.includes('-');
}

/** What reading a delete marker is answered: nothing there, or, asked for by its version, not something to read. */
function markerError(version: ObjectVersion, isByVersion: boolean) {
  const details = { marker: version.versionId, key: version.key };
  return isByVersion ? objectError('MethodNotAllowed', details) : objectError('NoSuchKey', details);
}
