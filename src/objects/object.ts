import type { RetentionMode } from './bucket.ts';

/** What a client says of an object beside its bytes; pure. */
export interface ObjectAttributes {
  readonly contentType: string;
  /** Headers that are given back as they came: `cache-control`, `content-encoding` (without `aws-chunked`), … */
  readonly headers: Readonly<Record<string, string>>;
  /** User metadata, names in lower case without their prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Checksums that the client gave or asked for and we verified, base64; composite ones carry `-N`. */
  readonly checksums: readonly ObjectChecksum[];
}

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
  readonly createdAtMs: number;
}
