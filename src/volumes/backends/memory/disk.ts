import type { ImageAttachment, ImageFacts, QosLimits } from '../backend.ts';
import type { OwnedImage } from '../image-rules.ts';
import type { Fault } from './faults.ts';

/** An image on a {@link MemoryDisk}. It has a size and an owner, but no bytes. */
export interface MemoryImage extends OwnedImage {
  readonly name: string | null;
  readonly complete: boolean;
  readonly qos: QosLimits;
  /** Sizes in bytes by the names of the snapshots. */
  readonly snapshots: ReadonlyMap<string, bigint>;
}

/** The real system of the memory backend. It outlives instances of the backend, as a disk outlives a server. */
export class MemoryDisk {
  readonly live = new Map<string, MemoryImage>();
  readonly trash = new Map<string, MemoryImage>();
  /** Addresses of foreign clients that have an image open, by its name. */
  readonly watchers = new Map<string, readonly string[]>();
  /** What goes wrong, and when; the first that fits a call is used up by it. */
  readonly faults: Fault[] = [];

  /** Puts an untagged image here, as somebody else would. */
  putForeign(image: string, sizeBytes: bigint): void {
    this.live.set(image, { ...emptyImage(image, sizeBytes), complete: true });
  }

  facts({ image, volumeId, name, sizeBytes, complete, attachment }: MemoryImage): ImageFacts {
    return {
      image,
      volumeId,
      name,
      sizeBytes,
      place: this.live.has(image) ? 'live' : 'trash',
      complete,
      attachment,
      watchers: [...(this.watchers.get(image) ?? [])],
      location: `memory:${image}`,
    };
  }

  /** Replaces what is known of an image, where it stands. */
  change(image: MemoryImage, change: Partial<MemoryImage>): MemoryImage {
    const changed = { ...image, ...change };
    (this.live.has(image.image) ? this.live : this.trash).set(image.image, changed);
    return changed;
  }
}

export function emptyImage(image: string, sizeBytes: bigint): MemoryImage {
  const attachment: ImageAttachment | null = null;
  const snapshots: ReadonlyMap<string, bigint> = new Map();
  return { image, volumeId: null, name: null, sizeBytes, fence: 0, complete: false, attachment, qos: {}, snapshots };
}
