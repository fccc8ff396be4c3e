import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { BlobFacts } from '../backends/backend.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { isOwnKey } from '../checking/unknown-blob.ts';
import { chunksOf } from '../content/content.ts';
import { decodeDescription, descriptionEndBytesMax } from '../content/description.ts';
import { requireKey } from '../keys.ts';
import { importBlob } from '../ledger/import-blob.ts';
import { findBucket } from '../queries/queries.ts';
import type { ReconcileOptions } from './reconcile.ts';

const readTimeoutMs = 60_000;
const bytesPerMs = 1_000;

/**
 * Makes an object of a blob of others, where its storage key is `bucket/key` of a bucket that exists: it is read whole for
 * its digests, and stays where it stands. What carries a description of ours is no plain object, under whatever key it
 * stands: it may be encrypted, and is left alone. Gives whether it was imported.
 */
export async function importForeign(
  { store, newId, clock, onError }: Pick<ReconcileOptions, 'store' | 'newId' | 'clock' | 'onError'>,
  { name: backend, backend: port }: KnownBackend,
  blob: BlobFacts,
  signal: AbortSignal,
): Promise<boolean> {
  const slash = blob.key.indexOf('/');
  const [bucket, key] = [blob.key.slice(0, Math.max(0, slash)), blob.key.slice(slash + 1)];
  // A key of our form without a description is what is left of something broken.
  const target = slash <= 0 || isOwnKey(blob.key) ? null : await store.read((reader) => findBucket(reader, bucket));
  if (target === null) return false;
  try {
    requireKey(key);
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
      owner: target.owner,
      contentType: 'application/octet-stream',
      nowMs: clock.nowMs(),
    });
  } catch (error) {
    signal.throwIfAborted();
    onError(error, `the blob ${blob.key} on ${backend} was not imported`);
    return false;
  }
}
