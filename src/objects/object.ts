import type { RetentionMode } from './bucket.ts';
import type { StoredForm } from './content/form.ts';
import type { CustomerKeyMark } from './encryption/data-key.ts';

/** What a client says of an object beside its bytes; pure. */
export interface ObjectAttributes {
  readonly contentType: string;
  /** Headers that are given back as they came: `cache-control`, `content-encoding` (without `aws-chunked`), … */
  readonly headers: Readonly<Record<string, string>>;
  /** User metadata, names in lower case without their prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Checksums that the client gave or asked for and we verified, base64; composite ones carry `-N`. */
  readonly checksums: readonly ObjectChecksum[];
  /** How its bytes are encrypted where they stand; absent when they are not. */
  readonly encryption?: AppliedEncryption;
}

/**
 * What made a version: a write, an upload by form, a copy, the completion of an upload in parts, or taking over what stood
 * there.
 */
export type VersionCause = 'put' | 'post' | 'copy' | 'complete' | 'import';

/** What removed one: a request, or a rule of the bucket's lifecycle. */
export type RemovalCause = 'delete' | 'lifecycle';
/** What the description of an object says that its client decides. */
export type GivenAttributes = Omit<ObjectAttributes, 'checksums' | 'encryption'>;

/** Under whose keys an object's bytes stand: the gateway's, those of a root key that was named, or the customer's own. */
export type AppliedEncryption =
  | { readonly kind: 'aes256' }
  | { readonly kind: 'kms'; readonly keyId: string }
  | ({ readonly kind: 'customer' } & CustomerKeyMark);

export interface ObjectChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';

export type Tags = Readonly<Record<string, string>>;

/** What keeps a version from being deleted. */
export interface ObjectLock {
  readonly retention: { readonly mode: RetentionMode; readonly untilMs: number } | null;
  readonly isLegalHold: boolean;
}

/** One version of an object: its logical identity, the same whichever copy is read. */
export interface ObjectVersion {
  readonly bucket: string;
  readonly key: string;
  /** `null` as text for versions made without versioning, as S3 calls them. */
  readonly versionId: string;
  readonly isLatest: boolean;
  /** A delete marker has no content. */
  readonly isMarker: boolean;
  readonly contentId: string | null;
  readonly sizeBytes: number;
  /** Without quotes: the MD5 of the content, or of its parts with `-N`. */
  readonly etag: string;
  readonly attributes: ObjectAttributes;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  readonly owner: string;
  /** Absent: `STANDARD`. */
  readonly storageClass?: string | undefined;
  readonly modifiedAtMs: number;
}

/** Where bytes of a content stand. */
export interface Copy {
  readonly contentId: string;
  /** 1 for a content that was written whole. */
  readonly part: number;
  readonly backend: string;
  readonly storageKey: string;
  /** Of the object's own bytes, without the description that follows them. */
  readonly sizeBytes: number;
  /** Of the whole blob, with what follows them. */
  readonly storedBytes: number;
  /** Of the object's own bytes (ISO 3309), as an unsigned integer. */
  readonly crc32: number;
  /** How they are laid down; `null`: as they are. */
  readonly form: StoredForm | null;
}

/** A part of a content that was uploaded in parts. */
export interface ContentPart {
  readonly part: number;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly crc32: number;
  readonly checksums: readonly ObjectChecksum[];
  readonly modifiedAtMs: number;
}

/**
 * Who owns uploads that no client has begun: parts of a content that is written anew stand in one, until they take the place
 * of the old ones. No client sees it, or may put a part into it.
 */
export const rewriteOwner = 'holdfast:rewrite';

/** A multipart upload under way. Its id is also the id of the content that it will become. */
export interface Upload {
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly owner: string;
  readonly state: 'open' | 'completed';
  readonly attributes: ObjectAttributes;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  /** The checksum that the client wants of the whole, `null` for none. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly type: 'FULL_OBJECT' | 'COMPOSITE' } | null;
  /** Of the object that it will be; absent: `STANDARD`. */
  readonly storageClass?: string | undefined;
  readonly createdAtMs: number;
}
