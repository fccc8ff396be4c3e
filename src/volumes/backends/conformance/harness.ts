import type { VolumeBackend } from '../backend.ts';

/** What an adapter brings to the conformance suite: itself, and ways to reach its real system behind its back. */
export interface BackendHarness {
  readonly backend: VolumeBackend;
  /**
   * The size of the largest image that the real system can hold. Without it, the suite tries 2^53 + 1 bytes and takes
   * `invalid` for "cannot".
   */
  readonly maxSizeBytes?: bigint;
  /** Whether an image can be attached for reading only; `true` when it is left out. */
  readonly hasReadOnly?: boolean;
  /** A machine that a root disk can be attached to, where `node-a` cannot have one. */
  readonly rootNode?: string;
  /** A new instance over the same real system, as after a restart of the server with nothing in memory. */
  reopen(): Promise<VolumeBackend>;
  /** An untagged image, made behind our back. */
  putForeignImage(image: string, sizeBytes: bigint): Promise<void>;
  /**
   * Another program that opens an image for writing, as the machine does to which it is attached, and has written to it when this
   * resolves. Left out where nobody but the server reaches images.
   */
  readonly openClient?: (image: string) => Promise<ImageClient>;
  teardown(): Promise<void>;
}

/** A client of an image that is not the backend itself. */
export interface ImageClient {
  /** Whether a write reaches the image now. */
  canWrite(): Promise<boolean>;
  close(): Promise<void>;
}
