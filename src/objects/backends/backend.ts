import type { ByteRange, Content } from '../content/content.ts';

/**
 * The port to a real system that holds blobs: the bytes of objects under storage keys that the gateway chose. One folder
 * an adapter; every adapter passes `backend.conformance.ts`.
 *
 * The laws that adapters keep:
 * - A storage key is written once. The gateway never writes a second blob under a key, so a repeated `put` of one key is
 *   the same blob again (the answer of the first was lost) and replaces it whole.
 * - `put` is atomic and durable: a reader sees nothing or all of it, a blob whose `put` resolved survives the loss of
 *   power as far as the real system promises that, and a `put` that rejected leaves no readable part of a blob, or says
 *   `details.outcome: 'unknown'`.
 * - Nothing is held in memory whole and nothing is spilled to disk: `put` pulls its content at the pace of the real
 *   system, `get` gives chunks at the pace of the reader. A source that throws aborts the `put`; the blob does not appear.
 * - Length is law: content shorter or longer than `sizeBytes` rejects (`invalid`) and leaves nothing.
 * - A stream that the real system breaks is an error, never a clean end: `get` counts bytes and throws `backend` when
 *   fewer or more came than were announced.
 * - Absent is a value (`null`, `'absent'`), never an error.
 * - Errors are `HoldfastError`: `backend` (the real system refused or failed), `unavailable` (it cannot be reached, or a
 *   deadline passed: the outcome is unknown), `invalid` (this call is wrong, the system is not), `overloaded` (it told us
 *   to slow down), `unsupported`. Only the first two are faults of the backend. When `signal` aborts because the caller
 *   gave up, its reason is thrown unchanged.
 */
export interface ObjectBackend {
  readonly capabilities: ObjectBackendCapabilities;

  /** Asks the real system whether it works, by reading it. Throws with one clear sentence when it does not. */
  health(signal: AbortSignal): Promise<ObjectBackendHealth>;

  /** Writes a blob of exactly `sizeBytes` bytes. A buffer is the caller's again when this resolves. */
  put(key: string, content: Content, options: PutOptions): Promise<void>;

  /**
   * Opens a blob, or a range of it, for reading; `null` when it is not there. The caller reads `content` or calls `cancel`.
   * Content may come in `into`, memory of the caller's: small content whole, and each chunk of larger content until the next
   * is asked for. It is his again when he has read everything; where anything failed it never is.
   */
  get(key: string, range: ByteRange | null, signal: AbortSignal, into?: Buffer): Promise<OpenBlob | null>;

  /** Reads facts of a blob; `null` when it is not there. */
  head(key: string, signal: AbortSignal): Promise<BlobFacts | null>;

  /** Removes a blob, and what an unfinished `put` of it may have left. */
  delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'>;

  /** Blobs in byte order of their keys, after `after`, at most `limit` (1..1000); whole pages until there are no more. */
  list(page: ListPage, signal: AbortSignal): Promise<BlobPage>;

  /** Copies a blob inside the real system without moving its bytes through us, where `capabilities.serverSideCopy`. */
  copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'>;

  /** Ends connections and child processes. */
  close(): Promise<void>;
}

export interface ObjectBackendCapabilities {
  readonly serverSideCopy: boolean;
  /** The largest blob it takes, in bytes; `null` without a limit of its own. */
  readonly blobBytesMax: number | null;
}

export interface ObjectBackendHealth {
  /** For people: what it is and where, without secrets. */
  readonly detail: string;
  /** Space of the real system, where it tells. */
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
}

export interface PutOptions {
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
  /** One of many that no client waits for: it may wait for others and share with them what durability costs. */
  readonly isBackground?: boolean;
}

export interface BlobFacts {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

export interface OpenBlob {
  /** Of the whole blob, also for a range. */
  readonly sizeBytes: number;
  readonly content: Content;
  /** Frees what is open when the content is not read to its end. May be called more than once. */
  cancel(): void;
}

export interface ListPage {
  readonly prefix: string;
  /** Only keys above this one, in byte order. */
  readonly after?: string;
  readonly limit: number;
}

export interface BlobPage {
  readonly blobs: readonly BlobFacts[];
  readonly isTruncated: boolean;
}

/** What makes one: `config` is what was validated against the kind's schema, `secrets` what was sealed. */
export interface ObjectBackendKind {
  /** Such as `filesystem`. */
  readonly kind: string;
  /** Throws `invalid`, naming the field, for settings that can never work. Gives them with defaults filled in. */
  validate(settings: BackendSettings): BackendSettings;
  open(settings: BackendSettings): ObjectBackend;
}

/** Settings as text values, as the API and the command line take them. */
export interface BackendSettings {
  readonly config: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Whether an error is the real system's fault, and not the caller's, an absence, or a wish to slow down. */
export function isBackendFault(error: unknown): boolean {
  const kind = (error as { kind?: unknown } | null)?.kind;
  return kind === 'backend' || kind === 'unavailable';
}
