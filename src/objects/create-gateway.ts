import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Store } from '../kernel/store/store.ts';
import type { ObjectBackendRegistry } from './backends/registry.ts';
import { createBuckets } from './buckets.ts';
import type { ObjectEncryption } from './encryption/encryption.ts';
import type { ObjectGateway } from './gateway.ts';
import type { Copy } from './object.ts';
import { createObjects } from './objects.ts';
import { QuotaPicture } from './quotas/picture.ts';
import { BadCopies } from './reading/bad-copies.ts';
import type { ContentCache } from './reading/cache.ts';
import type { Hedging } from './reading/hedge.ts';
import { Locator } from './reading/locator.ts';
import { Outage } from '../kernel/store/outage.ts';
import type { StorageClass } from './storage-class.ts';
import { createUploads } from './uploads.ts';
import { ContentWriter } from './writing/content-writer.ts';

export interface GatewayOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly encryption: ObjectEncryption;
  /** As they were entered in the store, warmest first; absent: only STANDARD. */
  readonly storageClasses?: readonly StorageClass[];
  readonly newId: IdSource;
  readonly clock: Clock;
  /** The replica under which intents of this process are known as those of somebody alive. */
  owner(): string;
  /** How long a slow backend holds up a write that enough others have taken. */
  readonly stallMs: number;
  /** Before what failed is tried again; it doubles each time. */
  readonly retryWaitMs: number;
  readonly hedging?: Hedging | undefined;
  readonly cache?: ContentCache | undefined;
  /** Hears how long clients' small writes took. */
  readonly onWrote?: (tookMs: number) => void;
  /** Told of a copy that is not what the ledger says; it is replaced from a good one. */
  onBadCopy(copy: Copy, reason: string): void;
  onError(error: unknown, about: string): void;
}

/** The gateway with what its keepers need of it. */
export interface RunningGateway extends ObjectGateway {
  readonly writer: ContentWriter;
  readonly locator: Locator;
  readonly badCopies: BadCopies;
  readonly quotas: QuotaPicture;
}

/** Puts the gateway together. */
export function createObjectGateway(options: GatewayOptions): RunningGateway {
  const { store, registry, encryption, newId, clock, owner, stallMs, retryWaitMs } = options;
  const { onBadCopy, onError, onWrote, hedging, cache, storageClasses = [] } = options;
  const outage = new Outage();
  const buckets = createBuckets(store, clock, outage, encryption);
  const writer = new ContentWriter({ store, registry, newId, clock, owner, stallMs, onError });
  const locator = new Locator(store, outage);
  const badCopies = new BadCopies({ store, registry, clock, retryWaitMs, onError });
  const noteBadCopy = (copy: Copy, reason: string) => {
    onBadCopy(copy, reason);
    badCopies.report(copy);
  };
  const quotas = new QuotaPicture(store);
  const shared = { store, registry, buckets, writer, encryption, storageClasses };
  const reading = { hedging, cache, onBadCopy: noteBadCopy };
  const parts = { ...shared, ...reading, onWrote, locator, quotas, newId, clock };
  return { buckets, objects: createObjects(parts), uploads: createUploads(parts), writer, locator, badCopies, quotas };
}
