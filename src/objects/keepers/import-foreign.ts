import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { BlobFacts } from '../backends/backend.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { hasDescription, isOwnKey } from '../checking/unknown-blob.ts';
import { chunksOf } from '../content/content.ts';
import { decodeDescription, descriptionEndBytesMax } from '../content/description.ts';
import { requireKey } from '../keys.ts';
import { importBlob } from '../ledger/import-blob.ts';
import { findBucket } from '../queries/queries.ts';
import type { ReconcileOptions } from './reconcile.ts';

const readTimeoutMs = 60_000;
const bytesPerMs = 1_000;

type ImportOptions = Pick<ReconcileOptions, 'store' | 'newId' | 'clock' | 'onError'>;

/** What a blob of others becomes. */
export interface ImportTarget {
  readonly bucket: string;
  readonly key: string;
  readonly owner: string;
}

const anyVersion = 'select 1 from objects where bucket = ? and object_key = ? limit 1';

/**
 * Which object a blob of others becomes, where its storage key is `bucket/key` of a bucket that exists and has no version
 * under that key. What carries a description of ours is no plain object, under whatever key it stands: it may be encrypted,
 * and is left alone. `null` for what is not imported.
 */
export async function importTargetOf(
  { store, onError }: ImportOptions,
  { name: backend, backend: port }: KnownBackend,
  blob: BlobFacts,
  signal: AbortSignal,
): Promise<ImportTarget | null> {
  const slash = blob.key.indexOf('/');
  const [name, key] = [blob.key.slice(0, Math.max(0, slash)), blob.key.slice(slash + 1)];
  // A key of our form without a description is what is left of something broken.
  if (slash <= 0 || isOwnKey(blob.key)) return null;
  const { bucket, isTaken } = await store.read(async (reader) => ({
    bucket: await findBucket(reader, name),
    isTaken: (await reader.rows(anyVersion, [name, key])).length > 0,
  }));
  if (bucket === null || isTaken) return null;
  try {
    requireKey(key);
  } catch (error) {
    onError(error, `the blob ${blob.key} on ${backend} is not imported`);
    return null;
  }
  const limits = AbortSignal.any([signal, AbortSignal.timeout(readTimeoutMs)]);
  return (await hasDescription(port, blob, limits)) ? null : { bucket: name, key, owner: bucket.owner };
}

/** Makes an object of a blob of others: it is read whole for its digests, and stays where it stands. Gives whether it did. */
export async function importForeign(
  { store, newId, clock, onError }: ImportOptions,
  { name: backend, backend: port }: KnownBackend,
  { blob, target: { bucket, key, owner } }: { readonly blob: BlobFacts; readonly target: ImportTarget },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const limits = AbortSignal.any([
      signal,
      AbortSignal.timeout(readTimeoutMs + Math.ceil(blob.sizeBytes / bytesPerMs)),
    ]);
    const open = await port.get(blob.key, null, limits);
    if (open === null) return false;
    const md5 = createHash('md5');
    let sum = 0;
    let sizeBytes = 0;
    let end = Buffer.alloc(0);
    for await (const chunk of chunksOf(open.content)) {
      md5.update(chunk);
      sum = crc32(chunk, sum);
      sizeBytes += chunk.length;
      end = Buffer.concat([end, chunk]).subarray(-descriptionEndBytesMax);
    }
    const now = await port.head(blob.key, limits);
    if (now?.sizeBytes !== sizeBytes || now.modifiedAtMs !== blob.modifiedAtMs) return false;
    if (decodeDescription(end) !== null) return false;
    return await store.write(importBlob, {
      backend,
      storageKey: blob.key,
      sizeBytes,
      crc32: sum,
      md5: md5.digest('hex'),
      bucket,
      key,
      contentId: newId('c'),
      versionId: newId('v'),
      owner,
      contentType: 'application/octet-stream',
      nowMs: clock.nowMs(),
    });
  } catch (error) {
    signal.throwIfAborted();
    onError(error, `the blob ${blob.key} on ${backend} was not imported`);
    return false;
  }
}
