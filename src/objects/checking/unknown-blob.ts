import type { BlobFacts, ObjectBackend } from '../backends/backend.ts';
import { chunksOf } from '../content/content.ts';
import { decodeDescription, descriptionEndBytesMax } from '../content/description.ts';

/** The storage keys of this gateway: a bucket, and the id of a write, which begins with its time (see `createIdSource`). */
const ownKey = /^[^/]+\/w-([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Since when a blob is there: by the backend's clock, or by ours where its key tells that it is younger. */
export function bornAtMs({ key, modifiedAtMs }: Pick<BlobFacts, 'key' | 'modifiedAtMs'>): number {
  const [, high = '', low = ''] = ownKey.exec(key) ?? [];
  return Math.max(modifiedAtMs, high === '' ? 0 : Number.parseInt(high + low, 16));
}

/** Whether a key is of the form that this gateway gives. */
export function isOwnKey(key: string): boolean {
  return ownKey.test(key);
}

/**
 * Whether a blob was written by a gateway: its key is of that form, and its end is a description. Both are asked, so that
 * nothing of others is ever taken for something of ours.
 */
export async function isOwnBlob(backend: ObjectBackend, blob: BlobFacts, signal: AbortSignal): Promise<boolean> {
  return isOwnKey(blob.key) && hasDescription(backend, blob, signal);
}

/** Whether a blob ends with a description as a gateway writes it; only its end is read. */
export async function hasDescription(backend: ObjectBackend, blob: BlobFacts, signal: AbortSignal): Promise<boolean> {
  const length = Math.min(blob.sizeBytes, descriptionEndBytesMax);
  if (length === 0) return false;
  const open = await backend.get(blob.key, { offset: blob.sizeBytes - length, length }, signal);
  if (open === null) return false;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of chunksOf(open.content)) chunks.push(chunk);
  } finally {
    open.cancel();
  }
  return decodeDescription(Buffer.concat(chunks)) !== null;
}
