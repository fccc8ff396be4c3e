import { createCipheriv, createDecipheriv } from 'node:crypto';
import { crc32 as crc32Of } from 'node:zlib';
import type { NewDataKey, WrappedKek } from '../encryption/data-key.ts';
import { deriveKey } from '../encryption/wrap.ts';
import type { AppliedEncryption, ObjectAttributes, ObjectLock, Tags } from '../object.ts';
import { standardClass } from '../storage-class.ts';
import { type FormDraft, type StoredForm, formFromJson, formToJson } from './form.ts';

/**
 * What every blob says of itself, so that the ledger can be rebuilt from the bytes alone and nothing is taken for something
 * else: JSON after the object's own bytes, then its checksum and its length as four bytes each, and a mark. It stands at the
 * end, so that ranges of the object are ranges of the blob, and so that it can tell the digests of what came before it.
 */
export interface BlobDescription {
  readonly bucket: string;
  readonly key: string;
  readonly contentId: string;
  readonly part: number;
  readonly sizeBytes: number;
  readonly attributes: Pick<ObjectAttributes, 'contentType' | 'headers' | 'metadata'>;
  readonly createdAtMs: number;
  /** What was asked of its encryption; absent where nothing was. */
  readonly encryption?: AppliedEncryption;
  /** The version or upload that the bytes were written for; absent in what earlier releases wrote. */
  readonly version?: DescribedVersion;
}

/** What a version was when its bytes were written. */
export interface DescribedVersion {
  /** `null` as text where the bucket keeps no versions; absent for parts of uploads, which are no version yet. */
  readonly id?: string;
  readonly owner: string;
  readonly tags?: Tags;
  readonly lock?: ObjectLock;
  /** Absent for the class of what nobody asked another one for. */
  readonly storageClass?: string;
}

/** A version as its description tells it: nothing for tags, locks and classes that there are not. */
export function describedVersion(version: {
  readonly id?: string;
  readonly owner: string;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  readonly storageClass?: string | undefined;
}): DescribedVersion {
  const { id, owner, tags, lock, storageClass = standardClass } = version;
  return {
    ...(id === undefined ? {} : { id }),
    owner,
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    ...(lock === null ? {} : { lock }),
    ...(storageClass === standardClass ? {} : { storageClass }),
  };
}

/** How the own bytes were laid down, and the key of an encrypted body; both `null` for plain bytes. */
export interface DescribedForm {
  readonly form: StoredForm | FormDraft | null;
  readonly key: NewDataKey | null;
}

const plain: DescribedForm = { form: null, key: null };

/** Digests of the object's own bytes. */
export interface BlobDigests {
  /** 32 hexadecimal digits. */
  readonly md5: string;
  readonly crc32: number;
}

const mark = Buffer.from('HFD2');
/** Of those without a checksum, of which changes go unnoticed; they are still read. */
const bareMark = Buffer.from('HFD1');
const bareTailBytes = 4 + bareMark.length;
const tailBytes = 4 + bareTailBytes;
const noDigests: BlobDigests = { md5: '0'.repeat(32), crc32: 0 };
/** A description is a few headers; anything longer is not one of ours. */
export const descriptionBytesMax = 65_536;
/** The bytes at the end of a blob in which a description stands, if there is one. */
export const descriptionEndBytesMax = descriptionBytesMax + tailBytes;

/**
 * The bytes that follow the body. Their number does not depend on the digests. That of an encrypted body is authenticated by
 * its data key, from the first letter to the last, and keeps the digests secret: they would tell whether a guess at the
 * content is right. What else it says (bucket, key, metadata) can be read by whoever holds the backend, so that the ledger can
 * be rebuilt by whoever has the root keys.
 */
export function encodeDescription(
  description: BlobDescription,
  digests: BlobDigests,
  { form, key }: DescribedForm = plain,
): Buffer {
  const { sizeBytes, createdAtMs, attributes, contentId, encryption, version, ...place } = description;
  const { contentType, headers, metadata } = attributes;
  const sums = { md5: digests.md5, crc32: hex(digests.crc32) };
  const text = JSON.stringify({
    ...place,
    content_id: contentId,
    size_bytes: sizeBytes,
    ...(key === null ? sums : {}),
    content_type: contentType,
    headers,
    metadata,
    created_at: new Date(createdAtMs).toISOString(),
    ...(encryption === undefined ? {} : { encryption }),
    ...(version === undefined ? {} : { version }),
    ...(form === null ? {} : { form: formToJson({ crc32: 0, ...form }) }),
    ...(key?.kek == null ? {} : { kek: { id: key.kek.id, root: key.kek.rootKeyId, wrapped: key.kek.wrapped } }),
  });
  const json = Buffer.from(key === null ? text : seal(text, digests, key.bytes));
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(crc32Of(json));
  tail.writeUInt32BE(json.length, 4);
  return Buffer.concat([json, tail, mark]);
}

/** How many bytes a description takes on a backend. */
export function descriptionBytes(description: BlobDescription, described: DescribedForm = plain): number {
  return encodeDescription(description, noDigests, described).length;
}

/** The digests and the proof of all that stands before them, as the last member of the JSON. */
function seal(text: string, { md5, crc32 }: BlobDigests, dataKey: Buffer): string {
  const sums = Buffer.alloc(digestBytes);
  sums.write(md5, 'hex');
  sums.writeUInt32BE(crc32, 16);
  // A data key is used for one description only.
  const cipher = createCipheriv('aes-256-gcm', deriveKey(dataKey, 'description'), Buffer.alloc(12));
  cipher.setAAD(Buffer.from(text));
  const sealed = Buffer.concat([cipher.update(sums), cipher.final(), cipher.getAuthTag()]);
  return `${text.slice(0, -1)}${sealMember}${sealed.toString('base64')}"}`;
}

const digestBytes = 20;
const sealMember = ',"sealed":"';
/** The member's name, 36 bytes as base64, and the end. */
const sealLength = sealMember.length + 48 + 2;

/** What a blob says of itself. That of an encrypted one is what it claims, until its data key has proven it. */
export interface FoundDescription extends BlobDescription {
  /** `null` until the data key opens them. */
  readonly md5: string | null;
  readonly crc32: number | null;
  /** Absent for plain bytes. */
  readonly form?: StoredForm;
  readonly kek?: WrappedKek;
}

/**
 * Reads the description at the end of a blob, given its last bytes (at most `descriptionEndBytesMax` are looked at);
 * `null` when there is none, or when it was changed.
 */
export function decodeDescription(end: Buffer): FoundDescription | null {
  const text = textOf(end);
  if (text === null) return null;
  try {
    return fromJson(JSON.parse(text.toString()) as Record<string, unknown>);
  } catch {
    return null;
  }
}

/** The same with the digests of an encrypted one; `null` also when the data key is not its own, or any letter was changed. */
export function openDescription(end: Buffer, dataKey: Buffer): FoundDescription | null {
  const found = decodeDescription(end);
  const text = textOf(end);
  if (found === null || text === null || text.length < sealLength) return null;
  const member = text.toString('latin1', text.length - sealLength);
  const sealed = Buffer.from(member.slice(sealMember.length, -2), 'base64');
  const isExact = sealed.toString('base64') === member.slice(sealMember.length, -2);
  if (!isExact || !member.startsWith(sealMember) || !member.endsWith('"}')) return null;
  const decipher = createDecipheriv('aes-256-gcm', deriveKey(dataKey, 'description'), Buffer.alloc(12), {
    authTagLength: 16,
  });
  decipher.setAAD(Buffer.concat([text.subarray(0, -sealLength), Buffer.from('}')]));
  decipher.setAuthTag(sealed.subarray(digestBytes));
  const sums = decipher.update(sealed.subarray(0, digestBytes));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return { ...found, md5: sums.toString('hex', 0, 16), crc32: sums.readUInt32BE(16) };
}

/**
 * How many bytes the description at the end of a blob takes, given at least its last 12; `null` when none can stand there.
 * More may be needed than were given.
 */
export function describedEndBytes(end: Buffer): number | null {
  const found = end.subarray(-mark.length);
  const lastBytes = found.equals(bareMark) ? bareTailBytes : found.equals(mark) ? tailBytes : null;
  if (lastBytes === null || end.length < lastBytes) return null;
  const length = end.readUInt32BE(end.length - bareTailBytes);
  return length > descriptionBytesMax ? null : length + lastBytes;
}

function textOf(end: Buffer): Buffer | null {
  const bytes = describedEndBytes(end);
  if (bytes === null || bytes > end.length) return null;
  const isBare = end.subarray(-mark.length).equals(bareMark);
  const text = end.subarray(end.length - bytes, end.length - (isBare ? bareTailBytes : tailBytes));
  return isBare || end.readUInt32BE(end.length - tailBytes) === crc32Of(text) ? text : null;
}

function fromJson(json: Record<string, unknown>): FoundDescription | null {
  const { bucket, key, part, md5, form, kek, encryption, version } = json;
  if (typeof bucket !== 'string' || typeof key !== 'string' || typeof part !== 'number') return null;
  const isSealed = typeof json['sealed'] === 'string';
  if (typeof md5 !== 'string' && !isSealed) return null;
  return {
    bucket,
    key,
    part,
    md5: isSealed ? null : (md5 as string),
    contentId: String(json['content_id']),
    sizeBytes: Number(json['size_bytes']),
    crc32: isSealed ? null : Number.parseInt(String(json['crc32']), 16),
    attributes: {
      contentType: String(json['content_type']),
      headers: json['headers'] as Record<string, string>,
      metadata: json['metadata'] as Record<string, string>,
    },
    createdAtMs: Date.parse(String(json['created_at'])),
    ...(encryption === undefined ? {} : { encryption: encryption as AppliedEncryption }),
    ...(version === undefined ? {} : { version: version as DescribedVersion }),
    ...(form === undefined ? {} : { form: formFromJson(form) }),
    ...(kek === undefined ? {} : { kek: kekFromJson(kek as Record<string, unknown>) }),
  };
}

function kekFromJson({ id, root, wrapped }: Record<string, unknown>): WrappedKek {
  return { id: String(id), rootKeyId: String(root), wrapped: String(wrapped) };
}

function hex(crc32: number): string {
  return crc32.toString(16).padStart(8, '0');
}
