import type { Bucket, BucketSettings } from './bucket.ts';
import type { Conditions } from './conditions.ts';
import type { ByteRange, Content } from './content/content.ts';
import type { CustomerKey } from './encryption/data-key.ts';
import type { EncryptionWish } from './encryption/encryption.ts';
import type {
  ChecksumAlgorithm,
  ContentPart,
  GivenAttributes,
  ObjectChecksum,
  ObjectLock,
  ObjectVersion,
  Tags,
  Upload,
  VersionCause,
} from './object.ts';

/**
 * What the faces (S3, plain HTTP) ask of the gateway. Who may ask is decided before; what is asked is valid in form.
 * Every method throws `objectError`s and kernel errors; a write that resolved is durable.
 */
export interface ObjectGateway {
  readonly buckets: Buckets;
  readonly objects: Objects;
  readonly uploads: Uploads;
}

export interface Buckets {
  /** Throws `BucketAlreadyOwnedByYou` or `BucketAlreadyExists`. */
  create(name: string, owner: string, settings: Partial<BucketSettings>): Promise<Bucket>;
  /** Throws `NoSuchBucket`. */
  get(name: string): Promise<Bucket>;
  /** In byte order of names. */
  list(page: { readonly after?: string; readonly prefix?: string; readonly limit: number }): Promise<readonly Bucket[]>;
  /** Changes settings by compare-and-set: `change` may run again. */
  update(name: string, change: (settings: BucketSettings) => BucketSettings, actor: string): Promise<Bucket>;
  /** Throws `BucketNotEmpty` while there is any version or upload. */
  delete(name: string, actor: string): Promise<void>;
}

/** What is known of content before it comes. */
export interface IncomingContent {
  readonly sizeBytes: number;
  /** Ends cleanly only when the whole body came and every signature in it was right. */
  readonly content: Content;
  /** The MD5 that the client announced (Content-MD5), as 16 bytes. */
  readonly md5?: Buffer;
  /** Checksums to compute, and what they must be where the client said so up front. */
  readonly checksums?: readonly { readonly algorithm: ChecksumAlgorithm; readonly expected?: string }[];
  /** Asked after the content ended cleanly: checksums that came as trailers. */
  readonly trailingChecksums?: () => readonly { readonly algorithm: ChecksumAlgorithm; readonly expected: string }[];
  /** The SHA-256 that the signature covers (x-amz-content-sha256), as hex. */
  readonly sha256?: string;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface PutRequest extends IncomingContent {
  readonly bucket: string;
  readonly key: string;
  readonly attributes: GivenAttributes;
  /** Absent: what the bucket demands. */
  readonly encryption?: EncryptionWish | undefined;
  /** Absent: `STANDARD`. */
  readonly storageClass?: string | undefined;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  readonly conditions: Conditions;
  /** What it is told to be in events; a write, unless it is said. */
  readonly cause?: VersionCause;
  /** The user, for ownership and events. */
  readonly actor: string;
}

export interface VersionRef {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}

export interface ReadRequest extends VersionRef {
  /** Which bytes, decided when the size is known; `null` for all. May throw `InvalidRange`. */
  readonly range: (version: ObjectVersion, parts: readonly ContentPart[]) => ByteRange | null;
  readonly signal: AbortSignal;
  /** Whether `range` looks at parts (`partNumber`); loading them costs a query. */
  readonly needsParts?: boolean;
  /** Runs once the version is known and before any byte is read; throws to refuse (conditions). */
  readonly check?: (version: ObjectVersion) => void;
  /** Needed for what was encrypted with it, refused for what was not. */
  readonly customerKey?: CustomerKey | undefined;
}

/** An object opened for reading. Its first bytes have come, so that what breaks later breaks the stream. */
export interface OpenObject {
  readonly version: ObjectVersion;
  /** `null`: the whole. */
  readonly range: ByteRange | null;
  /** Throws in the middle when no copy gives the right bytes; never ends early. */
  readonly content: Content;
  readonly isStale: boolean;
  cancel(): void;
}

export interface Removal {
  /** Of the removed version, or of the delete marker that was made. */
  readonly versionId: string | null;
  /** Whether a delete marker was made, or was what was removed. */
  readonly isMarker: boolean;
}

export interface CopyRequest {
  readonly source: VersionRef;
  readonly sourceConditions: Conditions;
  readonly bucket: string;
  readonly key: string;
  /** `null`: the source's. */
  readonly attributes: GivenAttributes | null;
  /** Of the copy; absent: what its bucket demands, whatever the source's is. */
  readonly encryption?: EncryptionWish | undefined;
  /** For a source that was encrypted with it. */
  readonly sourceKey?: CustomerKey | undefined;
  /** Of the copy; absent: `STANDARD`, whatever the source's is. */
  readonly storageClass?: string | undefined;
  readonly tags: Tags | null;
  readonly lock: ObjectLock | null;
  readonly conditions: Conditions;
  /** A checksum to compute in addition, where the source has another. */
  readonly checksum?: ChecksumAlgorithm;
  readonly actor: string;
  readonly signal: AbortSignal;
}

/** One page of a listing. Both lists together are in byte order and have at most `limit` entries. */
export interface ObjectPage {
  readonly versions: readonly ObjectVersion[];
  readonly prefixes: readonly string[];
  readonly isTruncated: boolean;
  /** The last key or common prefix told; the next page begins after it and all that it stands for. */
  readonly next: ListPosition | null;
}

/** Where a listing goes on. With a version, within the versions of a key. */
export interface ListPosition {
  readonly key: string;
  readonly versionId?: string;
  /** Whether `key` is a common prefix, so that all keys under it were told. */
  readonly isPrefix: boolean;
}

export interface ListRequest {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string | null;
  readonly after: ListPosition | null;
  /** 0..1000 */
  readonly limit: number;
}

export interface Objects {
  /** Throws what a write with this wish would throw, before its bytes are asked for. */
  checkEncryption(wish: EncryptionWish | undefined): void;
  /** Throws `InvalidStorageClass` for a class that there is not. */
  checkStorageClass(name: string | undefined): void;
  put(request: PutRequest): Promise<ObjectVersion>;
  /** The version asked for, delete markers included. Throws `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`. */
  stat(ref: VersionRef): Promise<ObjectVersion>;
  /** As {@link Objects.stat}, and whether it was told from memory since the store could not be asked. */
  find(ref: VersionRef): Promise<{ readonly version: ObjectVersion; readonly isStale: boolean }>;
  /** Throws `NoSuchKey` for a delete marker, with `details.marker` its version. */
  open(request: ReadRequest): Promise<OpenObject>;
  /** Parts of a content in order; one that was written whole has none. */
  parts(
    version: ObjectVersion,
    page: { readonly after: number; readonly limit: number },
  ): Promise<readonly ContentPart[]>;
  /** Absent is success. Throws `AccessDenied` for a locked version. */
  remove(
    ref: VersionRef,
    options: { readonly actor: string; readonly conditions: Conditions; readonly bypassGovernance: boolean },
  ): Promise<Removal>;
  copy(request: CopyRequest): Promise<ObjectVersion>;
  list(request: ListRequest): Promise<ObjectPage>;
  /** Versions and delete markers, newest first within a key. */
  listVersions(request: ListRequest): Promise<ObjectPage>;
  setTags(ref: VersionRef, tags: Tags, actor: string): Promise<ObjectVersion>;
  /** Throws `AccessDenied` when the change would shorten a retention that may not be shortened. */
  setLock(
    ref: VersionRef,
    change: (lock: ObjectLock) => ObjectLock,
    options: { readonly actor: string; readonly bypassGovernance: boolean },
  ): Promise<ObjectVersion>;
}

export interface UploadRef {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

export interface CompleteRequest extends UploadRef {
  readonly parts: readonly { readonly part: number; readonly etag: string; readonly checksum?: ObjectChecksum }[];
  /** What the client says of the whole; compared. */
  readonly checksum?: ObjectChecksum;
  readonly sizeBytes?: number;
  readonly conditions: Conditions;
  readonly actor: string;
}

/** Each part of an upload that was begun with a customer's key comes with that key. */
export interface IncomingPart extends IncomingContent {
  readonly customerKey?: CustomerKey | undefined;
}

/** Bytes of an object that become a part. */
export interface PartSource {
  readonly ref: VersionRef;
  readonly range: ByteRange | null;
  readonly conditions: Conditions;
  /** For a source that was encrypted with it. */
  readonly sourceKey?: CustomerKey | undefined;
}

export interface Uploads {
  create(
    upload: Omit<Upload, 'uploadId' | 'state' | 'createdAtMs' | 'attributes'> & {
      readonly attributes: GivenAttributes;
      readonly encryption?: EncryptionWish | undefined;
    },
  ): Promise<Upload>;
  /** Throws `NoSuchUpload` also for an upload of another bucket or key. */
  get(ref: UploadRef): Promise<Upload>;
  putPart(ref: UploadRef, part: number, content: IncomingPart, actor: string): Promise<ContentPart>;
  copyPart(
    ref: UploadRef,
    part: number,
    source: PartSource,
    options: {
      readonly actor: string;
      readonly signal: AbortSignal;
      readonly customerKey?: CustomerKey | undefined;
    },
  ): Promise<ContentPart>;
  /** Repeating it gives the same answer. */
  complete(request: CompleteRequest): Promise<ObjectVersion>;
  /** Absent is `NoSuchUpload`. */
  abort(ref: UploadRef, actor: string): Promise<void>;
  listParts(ref: UploadRef, page: { readonly after: number; readonly limit: number }): Promise<readonly ContentPart[]>;
  /** In byte order of keys, then of upload ids (which is the order of their making). */
  list(request: {
    readonly bucket: string;
    readonly prefix: string;
    readonly delimiter: string | null;
    readonly after: { readonly key: string; readonly uploadId?: string } | null;
    readonly limit: number;
  }): Promise<UploadPage>;
}

export interface UploadPage {
  readonly uploads: readonly Upload[];
  readonly prefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly next: { readonly key: string; readonly uploadId: string } | null;
}
