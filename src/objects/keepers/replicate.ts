import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { carryBlob } from '../content/carry-blob.ts';
import type { Copy } from '../object.ts';
import { claimRoom } from '../ledger/claim.ts';
import { joinCopy } from '../ledger/copies.ts';
import type { CapacityView } from '../writing/capacity.ts';
import type { Leftovers } from '../writing/leftovers.ts';

export interface ReplicateOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly capacity: CapacityView;
  readonly leftovers: Leftovers;
  readonly newId: IdSource;
  readonly clock: Clock;
  owner(): string;
}

/** For whom a copy is made. */
export interface ReplicateTarget {
  readonly bucket: string;
  readonly settings: BucketSettings;
  /** How often it failed already: each time another source and another backend are tried first. */
  readonly attempts: number;
}

/**
 * Makes one more copy of a part, by carrying the stored bytes over as they are. They are verified on the way, and the copy
 * counts only once it is committed. Throws when no backend takes it, and what reading or writing throws.
 */
export async function replicate(
  options: ReplicateOptions,
  copies: readonly Copy[],
  target: ReplicateTarget,
  signal: AbortSignal,
): Promise<void> {
  const { store, registry, capacity, leftovers, newId, clock, owner } = options;
  const open = copies.filter(({ backend }) => registry.get(backend)?.isOpenFor('read') === true);
  const [source] = rotated(open.length > 0 ? open : copies, target.attempts);
  if (source === undefined) throw new HoldfastError('backend', 'There is no copy left to read from.');
  const holders = copies.map(({ backend }) => backend);
  const ranked = await capacity.rank(target.settings, source.storedBytes, holders);
  const candidates = rotated(ranked, target.attempts);
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
  if (backend === undefined) throw new HoldfastError('unavailable', 'No other backend takes a copy now.');
  const write = { writeId, storageKey, storedBytes, backends: [backend] };
  try {
    const from = registry.get(source.backend)!.backend;
    await carryBlob({ from, to: registry.get(backend)!.backend, source, storageKey, isReadBack: false, signal });
    const written = { contentId, part, sizeBytes, crc32: source.crc32, form: source.form };
    const copiesWanted = target.settings.copies;
    const joining = { written, writeId, backend, copiesWanted, nowMs: clock.nowMs() };
    if (!(await store.write(joinCopy, joining))) await leftovers.abandon(write);
  } catch (error) {
    await leftovers.abandon(write);
    throw error;
  }
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
