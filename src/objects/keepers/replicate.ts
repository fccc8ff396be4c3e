import { crc32 } from 'node:zlib';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { chunksOf } from '../content/content.ts';
import { bodyOf } from '../content/form.ts';
import { claimRoom } from '../ledger/claim.ts';
import { joinCopy } from '../ledger/copies.ts';
import type { Copy } from '../object.ts';
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

/** A copy with the bytes that it takes on a backend. */
export type StoredCopy = Copy & { readonly storedBytes: number };

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
  copies: readonly StoredCopy[],
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
    const blob = await registry.get(source.backend)!.backend.get(source.storageKey, null, signal);
    if (blob === null) throw new HoldfastError('backend', `The copy on ${source.backend} is not there.`);
    try {
      const content = verified(chunksOf(blob.content), source);
      await registry.get(backend)!.backend.put(storageKey, content, { sizeBytes: storedBytes, signal });
    } finally {
      blob.cancel();
    }
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

/** Passes a blob on and breaks it off when the body in it is not what the ledger says; that takes no key. */
async function* verified(chunks: AsyncIterable<Buffer>, source: StoredCopy): AsyncGenerator<Buffer> {
  const body = bodyOf(source);
  let countBytes = 0;
  let sum = 0;
  for await (const chunk of chunks) {
    const own = chunk.subarray(0, Math.max(0, body.bytes - countBytes));
    if (own.length > 0) sum = crc32(own, sum);
    countBytes += chunk.length;
    if (countBytes >= body.bytes && sum !== body.crc32) {
      throw new HoldfastError('backend', `The copy on ${source.backend} is damaged: its checksum is wrong.`);
    }
    yield chunk;
  }
}
