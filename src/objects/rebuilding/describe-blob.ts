import type { BlobFacts, ObjectBackend } from '../backends/backend.ts';
import { bornAtMs, isOwnKey } from '../checking/unknown-blob.ts';
import { chunksOf } from '../content/content.ts';
import {
  type DescribedVersion,
  type FoundDescription,
  decodeDescription,
  describedEndBytes,
  openDescription,
} from '../content/description.ts';
import { formColumn } from '../content/form.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import type { WrappedKek } from '../encryption/data-key.ts';
import type { ObjectAttributes } from '../object.ts';
import type { CopyRow } from '../tables.ts';

/** What a blob says of the content that it is a copy of a part of. */
export interface DescribedContent {
  readonly contentId: string;
  readonly part: number;
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** `null` where only a customer's key tells it. */
  readonly md5: string | null;
  readonly crc32: number | null;
  readonly attributes: ObjectAttributes;
  readonly createdAtMs: number;
  /** Since when the blob stands where it does, as far as that is known. */
  readonly standsAtMs: number;
  /** `null` in what earlier releases wrote. */
  readonly version: DescribedVersion | null;
}

export interface DescribedBlob {
  readonly copy: CopyRow;
  readonly content: DescribedContent;
}

export interface DescribeOptions {
  readonly encryption: ObjectEncryption;
  /** Takes over a key that only the blob tells of. Throws `invalid` when no root key unwraps it. */
  adopt(kek: WrappedKek): Promise<void>;
  readonly signal: AbortSignal;
}

const callTimeoutMs = 60_000;
/** Most descriptions are shorter than this. */
const firstLookBytes = 4_096;

/**
 * Reads the end of a blob; `null` when it is not one that a gateway has written, or not as it was written: its name, its
 * length and, of an encrypted one, the proof of its description must be right. Its body is not read.
 */
export async function describeBlob(
  place: { readonly name: string; readonly backend: ObjectBackend },
  blob: BlobFacts,
  options: DescribeOptions,
): Promise<DescribedBlob | null> {
  if (!isOwnKey(blob.key)) return null;
  const end = await readEnd(place.backend, blob, options.signal);
  const claimed = end === null ? null : decodeDescription(end);
  if (end === null || claimed === null) return null;
  const bodyBytes = claimed.form?.bodyBytes ?? claimed.sizeBytes;
  if (bodyBytes + (describedEndBytes(end) ?? 0) !== blob.sizeBytes || !Number.isSafeInteger(claimed.createdAtMs))
    return null;
  const told = await prove(claimed, end, options);
  return told === null ? null : toBlob(place.name, blob, told);
}

async function readEnd(backend: ObjectBackend, blob: BlobFacts, signal: AbortSignal): Promise<Buffer | null> {
  const end = await readLast(backend, blob, firstLookBytes, signal);
  const bytes = end === null ? null : describedEndBytes(end);
  if (end === null || bytes === null) return null;
  return bytes <= end.length ? end : readLast(backend, blob, bytes, signal);
}

async function readLast(
  backend: ObjectBackend,
  { key, sizeBytes }: BlobFacts,
  wanted: number,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const length = Math.min(sizeBytes, wanted);
  if (length === 0) return null;
  const limits = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
  const open = await backend.get(key, { offset: sizeBytes - length, length }, limits);
  if (open === null) return null;
  const pieces: Buffer[] = [];
  for await (const piece of chunksOf(open.content)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A description with its digests; `null` when its data key does not prove it. That of a customer's key proves nothing here. */
async function prove(
  claimed: FoundDescription,
  end: Buffer,
  { encryption, adopt }: DescribeOptions,
): Promise<FoundDescription | null> {
  const sealed = claimed.form?.sealed;
  if (sealed == null) return claimed.md5 === null ? null : claimed;
  if (sealed.key.kekId === null) return claimed;
  if (claimed.kek === undefined || claimed.kek.id !== sealed.key.kekId) return null;
  await adopt(claimed.kek);
  const { contentId, part } = claimed;
  let key: Buffer;
  try {
    key = await encryption.open(sealed, { contentId, part }, undefined);
  } catch {
    // The key is known by now, so that it is the data key that does not belong to it.
    return null;
  }
  return openDescription(end, key);
}

function toBlob(backend: string, blob: BlobFacts, told: FoundDescription): DescribedBlob {
  const { bucket, key, contentId, part, sizeBytes, createdAtMs, md5, crc32, encryption, version = null } = told;
  const encrypted = encryption === undefined ? {} : { encryption };
  const attributes: ObjectAttributes = { ...told.attributes, checksums: [], ...encrypted };
  const standsAtMs = Math.max(createdAtMs, bornAtMs(blob));
  return {
    copy: {
      content_id: contentId,
      part,
      backend,
      storage_key: blob.key,
      size_bytes: sizeBytes,
      stored_bytes: blob.sizeBytes,
      // Of the own bytes, which only a customer's key tells; what verifies the body is in its form.
      crc32: crc32 ?? 0,
      created_at: createdAtMs,
      form: formColumn(told.form ?? null),
      verified_at: null,
      damaged_at: null,
    },
    content: { contentId, part, bucket, key, sizeBytes, md5, crc32, attributes, createdAtMs, standsAtMs, version },
  };
}
