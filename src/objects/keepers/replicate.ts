import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { carryBlob } from '../content/carry-blob.ts';
import type { LentBuffers } from '../content/lent-buffers.ts';
import { claimRoom } from '../ledger/claim.ts';
import { joinCopy } from '../ledger/copies.ts';
import type { Copy } from '../object.ts';
import type { Leftovers } from '../writing/leftovers.ts';
import { chooseSource } from './replicate-step.ts';

export interface ReplicateOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly leftovers: Leftovers;
  readonly newId: IdSource;
  readonly clock: Clock;
  readonly memory: LentBuffers;
  owner(): string;
  /** Whether what was written to a backend of a kind is read again before it counts. */
  isReadBack(kind: string): boolean;
}

const nobody: ReadonlySet<string> = new Set();

/** Where a copy stands. */
export interface CopyPlace {
  readonly backend: string;
  readonly storageKey: string;
}

/** For whom a copy is made, and where it may go. */
export interface ReplicateTarget {
  readonly bucket: string;
  /** The copy counts only while fewer than so many others do. */
  readonly copiesWanted: number;
  /** Only what stands on backends with these labels is such another; absent: none. */
  readonly requiredLabels?: BucketSettings['requiredLabels'] | undefined;
  /** Backends in the order in which they are asked for room. */
  readonly candidates: readonly string[];
  /** What to say when none of them has room. */
  readonly refusal: string;
  /** How often it failed already: each time another source is tried first. */
  readonly attempts: number;
  /** Backends that do not work, which are read last; absent: none. */
  readonly away?: ReadonlySet<string>;
}

/**
 * Makes one more copy of a part, by carrying the stored bytes over as they are. They are verified on the way, and the copy
 * counts only once it is committed. Gives its place, or `null` when it was not wanted any more. Throws when no backend takes
 * it, and what reading or writing throws: with the backend as `details.target` when that one is to blame.
 */
export async function replicate(
  options: ReplicateOptions,
  copies: readonly Copy[],
  target: ReplicateTarget,
  signal: AbortSignal,
): Promise<CopyPlace | null> {
  const { store, registry, leftovers, newId, clock, memory, owner } = options;
  const source = chooseSource({ registry, away: target.away ?? nobody }, copies, target.attempts);
  if (source === null) throw new HoldfastError('backend', 'There is no copy left to read from.');
  const { candidates, copiesWanted, requiredLabels } = target;
  const writeId = newId('w');
  const storageKey = `${target.bucket}/${writeId}`;
  const { storedBytes, sizeBytes, contentId, part } = source;
  const claim = {
    writeId,
    storageKey,
    storedBytes,
    sizeBytes,
    candidates,
    count: 1,
    owner: owner(),
    nowMs: clock.nowMs(),
  };
  const [backend] = candidates.length === 0 ? [] : await leftovers.watchClaim(claim, store.write(claimRoom, claim));
  if (backend === undefined) throw new HoldfastError('unavailable', target.refusal);
  const write = { writeId, storageKey, storedBytes, backends: [backend] };
  const known = registry.get(backend)!;
  try {
    const isReadBack = options.isReadBack(known.kind);
    await carryBlob({ from: registry.get(source.backend)!, to: known, source, storageKey, isReadBack, signal, memory });
    const written = { contentId, part, sizeBytes, crc32: source.crc32, form: source.form };
    const joining = { written, writeId, backend, copiesWanted, requiredLabels, nowMs: clock.nowMs() };
    if (await store.write(joinCopy, joining)) return { backend, storageKey };
    await leftovers.abandon(write);
    return null;
  } catch (error) {
    await leftovers.abandon(write);
    throw error;
  }
}
