import type { ExportSource } from '../target.ts';

/** What a block device of this machine is of, as the kernel tells it. */
export interface Origin {
  readonly source: ExportSource;
  /**
   * Which file, image or device stands at the source now, as 16 bytes in the form of a UUID. The kernel holds what it serves,
   * so that no other gets its numbers meanwhile; written to the namespace, it says later whether the source still means what
   * is served. Empty when nothing is there, `null` when the source cannot be seen from here: it is what it was then.
   */
  readonly identity: string | null;
}

/** A block device that a source became. Disposed of when a namespace has it open, or when none will. */
export interface HeldDevice extends AsyncDisposable {
  readonly path: string;
  /** As in {@link Origin}. */
  readonly identity: string;
}

/** One way in which a source becomes a block device. All that stands is read from the kernel at each call. */
export interface BlockDevices<S extends ExportSource> {
  /**
   * Makes the device. What comes of one that is never served goes by itself, or with the next look for what is left.
   *
   * @throws HoldfastError `not_found`, or `unsupported` when clients would not see exactly its bytes.
   */
  hold(exportId: string, source: S, signal: AbortSignal): Promise<HeldDevice>;
  /** `null` for a device that is not of this kind. */
  read(devicePath: string, signal: AbortSignal): Promise<Origin | null>;
  /**
   * Makes what stands behind the device this large, and the device with it. Already that large is success.
   *
   * @throws HoldfastError `invalid` when it is larger already.
   */
  grow(devicePath: string, source: S, sizeBytes: bigint, signal: AbortSignal): Promise<void>;
}
