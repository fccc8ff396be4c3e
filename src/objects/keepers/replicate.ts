import { crc32 } from 'node:zlib';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError, toErrorData } from '../../kernel/errors/errors.ts';
import { type Store, isStoreTrouble } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import { claimRoom } from '../ledger/claim.ts';
import { joinCopy } from '../ledger/copies.ts';
import type { Leftovers } from '../writing/leftovers.ts';
import { ReadBack } from './read-back.ts';
import type { StoredCopy } from './stored-copies.ts';

export interface ReplicateOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly leftovers: Leftovers;
  readonly newId: IdSource;
  readonly clock: Clock;
  owner(): string;
  /** Whether what was written to a backend of a kind is read again before it counts. */
  isReadBack(kind: string): boolean;
}

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
  /** Backends in the order in which they are asked for room. */
  readonly candidates: readonly string[];
  /** What to say when none of them has room. */
  readonly refusal: string;
  /** How often it failed already: each time another source is tried first. */
  readonly attempts: number;
}

/**
 * Makes one more copy of a part, by carrying the stored bytes over as they are. They are verified on the way, and the copy
 * counts only once it is committed. Gives its place, or `null` when it was not wanted any more. Throws when no backend takes
 * it, and what reading or writing throws: with the backend as `details.target` when that one is to blame.
 */
export async function replicate(
  options: ReplicateOptions,
  copies: readonly StoredCopy[],
  target: ReplicateTarget,
  signal: AbortSignal,
): Promise<CopyPlace | null> {
  const { store, registry, leftovers, newId, clock, owner } = options;
  const open = copies.filter(({ backend }) => registry.get(backend)?.isOpenFor('read') === true);
  const [source] = rotated(open.length > 0 ? open : copies, target.attempts);
  if (source === undefined) throw new HoldfastError('backend', 'There is no copy left to read from.');
  const { candidates, copiesWanted } = target;
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
  const readBack = options.isReadBack(known.kind) ? new ReadBack() : null;
  let isSourceAtFault = true;
  try {
    const blob = await registry.get(source.backend)!.backend.get(source.storageKey, null, signal);
    if (blob === null) throw new HoldfastError('backend', `The copy on ${source.backend} is not there.`);
    try {
      const content = verified(chunksOf(blob.content), source);
      isSourceAtFault = false;
      const watched = watch(readBack?.summed(content) ?? content, (isBroken) => (isSourceAtFault = isBroken));
      await known.backend.put(storageKey, watched, { sizeBytes: storedBytes, signal });
      await readBack?.check(known, storageKey, signal);
    } finally {
      blob.cancel();
    }
    const written = { contentId, part, sizeBytes, crc32: source.crc32 };
    const joining = { written, writeId, backend, copiesWanted, nowMs: clock.nowMs() };
    if (await store.write(joinCopy, joining)) return { backend, storageKey };
    await leftovers.abandon(write);
    return null;
  } catch (error) {
    await leftovers.abandon(write);
    if (isSourceAtFault || signal.aborted || isStoreTrouble(error)) throw error;
    const { kind, message, details } = toErrorData(error);
    throw new HoldfastError(kind, message, { ...details, target: backend }, error);
  }
}

/** Passes content on, and says whether it is the content that breaks when something does. */
async function* watch(chunks: AsyncIterable<Buffer>, say: (isBroken: boolean) => void): AsyncGenerator<Buffer> {
  say(true);
  for await (const chunk of chunks) {
    say(false);
    yield chunk;
    say(true);
  }
  say(false);
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** Passes a blob on and breaks it off when the object's own bytes in it are not what the ledger says. */
async function* verified(chunks: AsyncIterable<Buffer>, source: StoredCopy): AsyncGenerator<Buffer> {
  let countBytes = 0;
  let sum = 0;
  for await (const chunk of chunks) {
    const own = chunk.subarray(0, Math.max(0, source.sizeBytes - countBytes));
    if (own.length > 0) sum = crc32(own, sum);
    countBytes += chunk.length;
    if (countBytes >= source.sizeBytes && sum !== source.crc32) {
      throw new HoldfastError('backend', `The copy on ${source.backend} is damaged: its checksum is wrong.`);
    }
    yield chunk;
  }
}
