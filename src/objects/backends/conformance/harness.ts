import type { ObjectBackend } from '../backend.ts';
import type { KeyClass } from './key-cases.ts';

/** What an adapter brings to the conformance suite. */
export interface ObjectBackendHarness {
  readonly backend: ObjectBackend;
  /** Empties the real system behind the adapter's back, where that is cheaper than to delete key after key. */
  wipe?(): Promise<void>;
}

/** The life of the suite: what `open` registers here runs after the last test, last registered first. */
export interface ConformanceSetup {
  after(work: () => PromiseLike<void> | void): void;
}

export interface ConformanceOptions {
  /** Why the suite cannot run here, and how to enable it; the suite is skipped with this sentence. */
  readonly skip?: string | false;
  /** Classes of keys that the real system cannot hold however they are encoded, each with the reason. */
  readonly keyExceptions?: Readonly<Partial<Record<KeyClass, string>>>;
  /** Keys that look like names which the adapter uses for itself: temporary names, markers, its escapes. */
  readonly ownNames?: readonly string[];
  /** The adapter is the real system and holds blobs itself, so that its memory says nothing about streaming. */
  readonly holdsBlobsInMemory?: boolean;
  /** Runs of the property test of keys. */
  readonly propertyRuns?: number;
  /** Deadline of one call, in milliseconds. */
  readonly callTimeoutMs?: number;
}
