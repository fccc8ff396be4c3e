import type { ExportSource } from '../exports/target.ts';

/**
 * The port to a real system that holds volumes. One folder an adapter; every adapter passes
 * `backend.conformance.ts`.
 *
 * The laws that adapters keep:
 * - Truth is read from the real system at each call, never from memory of earlier calls.
 * - An image carries its owner as a tag (`volumeId`) in the real system, so that what was done
 *   by a call whose answer was lost can be recognised: every mutating verb is idempotent for the same
 *   volume, and refuses (`conflict`) an image that belongs to another.
 * - A mutating verb carries a fence. An adapter keeps the highest fence seen per image in the real system and
 *   refuses (`conflict`, details `{reason: 'stale_fence'}`) a lower one; an equal or higher one passes.
 * - Absent is a value (`null`, or success where the wish was absence), never an error. Unreachable is
 *   an error of kind `unavailable`. A passed deadline (`context.signal`) is `unavailable` too: the outcome is unknown.
 * - Verbs that the capabilities deny throw `unsupported` with the reason.
 */
export interface VolumeBackend {
  /** The name under which volumes refer to this backend, such as `file`. */
  readonly name: string;
  readonly capabilities: BackendCapabilities;
  /** The names of the parameters that a create takes; see {@link CreateImage.parameters}. */
  readonly createParameters: readonly string[];

  /** Asks the real system whether it works. Throws `unavailable` with one clear sentence when it does not. */
  health(signal: AbortSignal): Promise<BackendHealth>;

  /**
   * Makes an image of `sizeBytes`, tagged. An image of that name with our tag and size is adopted; with our tag and
   * a smaller size (a create that was cut off) it is completed; with another tag or none it is a `conflict`.
   * With `source`, the image starts with the content of that snapshot (a clone).
   */
  create(context: FencedContext, params: CreateImage): Promise<ImageFacts>;

  /** Reads one image from the real system; `null` when it stands neither live nor in the trash. */
  inspect(context: BackendContext, image: string): Promise<ImageFacts | null>;

  /**
   * Reads many images (at most 1000), each as `inspect` does except for who has it open, and gives them in the order of
   * `images`. Only where the real system tells of many with far less work than of each alone.
   */
  survey?(context: BackendContext, images: readonly string[]): Promise<readonly (SurveyedImage | null)[]>;

  /** Live images (not the trash) in byte order of their names, after `after`, at most `limit` (1..1000). */
  list(
    context: BackendContext,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly ImageFacts[]>;

  /** Grows (never shrinks: `invalid`) to exactly `sizeBytes`. Already that size is success. */
  resize(context: FencedContext, image: string, sizeBytes: bigint): Promise<ImageFacts>;

  /** An existing snapshot of that name is success. */
  createSnapshot(context: FencedContext, image: string, snapshot: string): Promise<SnapshotFacts>;
  listSnapshots(context: BackendContext, image: string): Promise<readonly SnapshotFacts[]>;
  /** An absent snapshot, or an absent image, is success. */
  deleteSnapshot(context: FencedContext, image: string, snapshot: string): Promise<void>;
  /** Makes the image's content and size those of the snapshot. `not_found` when the snapshot is absent. */
  revert(context: FencedContext, image: string, snapshot: string): Promise<ImageFacts>;

  /**
   * Records in the real system that the image is attached there. Repeating the same attachment is success; a different
   * attachment on record is a `conflict`. Backends with `capabilities.watchers` refuse (`conflict`, details
   * `{watchers: [...]}`) when a client that is not ours has the image open before it was ever attached.
   */
  attach(context: FencedContext, image: string, attachment: ImageAttachment): Promise<ImageFacts>;

  /**
   * Asks, before an attach with the device `root` is accepted, whether that machine could take a root disk now. Throws what
   * the attach would be refused with, and changes nothing. Backends with `capabilities.rootAttach` have it.
   */
  checkRootAttach?(context: BackendContext, nodeId: string): Promise<void>;

  /**
   * Removes the attachment record. No record, or an absent image, is success; another attachment (other id, or another
   * generation) is left alone and is a `conflict`. With watchers still there: `conflict`, unless `force`, which fences
   * every watcher first, and with them the clients that are known from before, since one that only sleeps is no watcher any
   * more; verifies that none is left, and only then removes the record.
   */
  detach(context: FencedContext, image: string, attachment: Detachment): Promise<void>;

  /**
   * Cuts these clients of an image off for good, by the addresses under which they were seen, and waits until the real system
   * counts none of them any more; others are left alone. Only with `capabilities.fence`.
   */
  fence?(context: FencedContext, image: string, clients: readonly string[]): Promise<void>;

  /**
   * Where a program on a host finds the bytes of an image, so that it can be exported; `null` when only the real system itself
   * can give it to machines.
   */
  exportSource(context: BackendContext, image: string): Promise<ExportSource | null>;

  /** Limits that clients of this image must keep. An empty object removes them. */
  setQos(context: FencedContext, image: string, qos: QosLimits): Promise<void>;

  /** Moves the image, with its snapshots, out of sight, restorable. In the trash already, or absent, is success. */
  trash(context: FencedContext, image: string): Promise<void>;
  /** Brings it back, with its snapshots. Live already is success; absent is `not_found`. */
  restore(context: FencedContext, image: string): Promise<ImageFacts>;
  /** Removes the image for good, from the trash or live, with its snapshots. Clones stay whole. Absent is success. */
  purge(context: FencedContext, image: string): Promise<void>;

  /** Puts our tag on an existing untagged image (import). Same tag is success, another's tag is a `conflict`. */
  adopt(
    context: FencedContext,
    image: string,
    tag: { readonly volumeId: string; readonly name: string },
  ): Promise<ImageFacts>;

  /** Ends connections and child processes; no call follows. */
  close(): Promise<void>;
}

export interface BackendContext {
  /** Aborts when the deadline has passed or the operation is cancelled. */
  readonly signal: AbortSignal;
}

export interface FencedContext extends BackendContext {
  /** Grows with every hand-over of the volume; see the laws above. */
  readonly fence: number;
}

export interface BackendCapabilities {
  readonly snapshots: boolean;
  readonly clone: boolean;
  readonly qos: boolean;
  readonly trash: boolean;
  /** Whether the real system tells who has an image open. */
  readonly watchers: boolean;
  /** Whether a client can be cut off for good before a forced detach. */
  readonly fence: boolean;
  /** Whether content survives a restart of the server. */
  readonly durable: boolean;
  /** Whether an image can be attached as the disk that a machine starts from. */
  readonly rootAttach: boolean;
  /** Whether facts come with `details`. */
  readonly details: boolean;
}

export interface BackendHealth {
  /** One sentence for people, such as "12 GiB free in /var/lib/holdfast". */
  readonly detail: string;
  readonly freeBytes?: bigint;
  readonly totalBytes?: bigint;
}

export interface CreateImage {
  readonly image: string;
  readonly volumeId: string;
  /** The volume's name for people; kept with the image so that an import can give it back. */
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly source?: { readonly image: string; readonly snapshot: string };
  readonly qos?: QosLimits;
  /**
   * Wishes that this backend alone understands, such as an offering. One whose name is not among `createParameters`, or
   * whose value makes no sense, is `invalid` and named as `field`; nothing is made then.
   */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** What the real system says of one image, now. */
export interface ImageFacts {
  readonly image: string;
  /** Our tag; `null` for an image that was not made or adopted by Holdfast. */
  readonly volumeId: string | null;
  readonly name: string | null;
  readonly sizeBytes: bigint;
  /** `live`, or in the trash and restorable. */
  readonly place: 'live' | 'trash';
  /** `false` while a create or clone was cut off before its content was complete. */
  readonly complete: boolean;
  readonly attachment: ImageAttachment | null;
  /** Addresses of clients that have the image open for writing, without our own. Empty where unknown. */
  readonly watchers: readonly string[];
  /** Where the bytes are, for people: a path, or `pool/image`. */
  readonly location: string;
  /** More of what the real system says of it, for people, as JSON. */
  readonly details?: ImageDetails;
}

/** The facts that need nobody to be asked who has the image open. */
export type SurveyedImage = Omit<ImageFacts, 'watchers'>;

export type ImageDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface SnapshotFacts {
  readonly snapshot: string;
  readonly sizeBytes: bigint;
}

export type AttachMode = 'rw' | 'ro';

export interface ImageAttachment {
  readonly attachmentId: string;
  readonly nodeId: string;
  readonly generation: number;
  readonly mode: AttachMode;
  /**
   * `root`: as the disk that the machine starts from; absent: as any other. Part of the attachment, so the same one with
   * another device is another attachment. Where `capabilities.rootAttach` is not, it is `unsupported`.
   */
  readonly device?: 'root';
}

/** The attachment that a detach names. */
export interface Detachment {
  readonly attachmentId: string;
  readonly generation: number;
  readonly force: boolean;
  /** Addresses of clients that were seen to have the image open since it was attached; fenced with `force`. */
  readonly clients?: readonly string[];
}

/** Limits a second; an absent field is no limit. */
export interface QosLimits {
  readonly iops?: number;
  readonly read_iops?: number;
  readonly write_iops?: number;
  readonly bytes_per_second?: number;
  readonly read_bytes_per_second?: number;
  readonly write_bytes_per_second?: number;
}
