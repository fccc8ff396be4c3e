import type { ObjectAttributes } from '../object.ts';

/**
 * What every blob says of itself, so that the ledger can be rebuilt from the bytes alone and nothing is taken for something
 * else: JSON after the object's own bytes, then its length as four bytes and a mark. It stands at the end, so that ranges
 * of the object are ranges of the blob, and so that it can tell the digests of what came before it.
 */
export interface BlobDescription {
  readonly bucket: string;
  readonly key: string;
  readonly contentId: string;
  readonly part: number;
  readonly sizeBytes: number;
  readonly attributes: Pick<ObjectAttributes, 'contentType' | 'headers' | 'metadata'>;
  readonly createdAtMs: number;
}

/** Digests of the object's own bytes. */
export interface BlobDigests {
  /** 32 hexadecimal digits. */
  readonly md5: string;
  readonly crc32: number;
}

const mark = Buffer.from('HFD1');
const tailBytes = 4 + mark.length;
const noDigests: BlobDigests = { md5: '0'.repeat(32), crc32: 0 };
/** A description is a few headers; anything longer is not one of ours. */
export const descriptionBytesMax = 65_536;

/** The bytes that follow the object's own. Their number does not depend on the digests. */
export function encodeDescription(description: BlobDescription, digests: BlobDigests): Buffer {
  const { sizeBytes, createdAtMs, attributes, contentId, ...place } = description;
  const { contentType, headers, metadata } = attributes;
  const json = Buffer.from(
    JSON.stringify({
      ...place,
      content_id: contentId,
      size_bytes: sizeBytes,
      md5: digests.md5,
      crc32: digests.crc32.toString(16).padStart(8, '0'),
      content_type: contentType,
      headers,
      metadata,
      created_at: new Date(createdAtMs).toISOString(),
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([json, length, mark]);
}

/** How many bytes a description takes on a backend. */
export function descriptionBytes(description: BlobDescription): number {
  return encodeDescription(description, noDigests).length;
}

/**
 * Reads the description at the end of a blob, given its last bytes (at most `descriptionBytesMax + 8` are looked at);
 * `null` when there is none.
 */
export function decodeDescription(end: Buffer): (BlobDescription & BlobDigests) | null {
  if (end.length < tailBytes || !end.subarray(-mark.length).equals(mark)) return null;
  const length = end.readUInt32BE(end.length - tailBytes);
  if (length > descriptionBytesMax || length + tailBytes > end.length) return null;
  try {
    const text = end.subarray(end.length - tailBytes - length, end.length - tailBytes).toString();
    return fromJson(JSON.parse(text) as Record<string, unknown>);
  } catch {
    return null;
  }
}

function fromJson(json: Record<string, unknown>): (BlobDescription & BlobDigests) | null {
  const { bucket, key, part, md5 } = json;
  if (typeof bucket !== 'string' || typeof key !== 'string' || typeof part !== 'number' || typeof md5 !== 'string')
    return null;
  return {
    bucket,
    key,
    part,
    md5,
    contentId: String(json['content_id']),
    sizeBytes: Number(json['size_bytes']),
    crc32: Number.parseInt(String(json['crc32']), 16),
    attributes: {
      contentType: String(json['content_type']),
      headers: json['headers'] as Record<string, string>,
      metadata: json['metadata'] as Record<string, string>,
    },
    createdAtMs: Date.parse(String(json['created_at'])),
  };
}
