import { setImmediate as others } from 'node:timers/promises';
import { inParallel } from '../keepers/batches.ts';
import { carryBlob } from '../content/carry-blob.ts';
import type { Copy } from '../object.ts';
import { HoldfastError, toErrorData } from '../../kernel/errors/errors.ts';
import type { MigratorOptions } from './migrator.ts';
import { type Move, claimMoves, failMoves, joinMoves } from './moves.ts';
import { siblingsOf, standingCopies } from './queries.ts';
import type { StorageMigration } from './storage-migration.ts';

/**
 * A batch is committed twice, before and after its bytes, however many there are in it; more of both would be lost by a
 * crash.
 */
const batchCopiesMax = 256;
const batchBytesMax = 256 * 1024 ** 2;
/** Small copies wait for a flush and not for bytes, and many can share one (`PutOptions.isBackground`). */
const smallBytesMax = 65_536;
const smallAtOnce = 32;
/** While the bytes of one batch move, another is claimed or entered. */
const lanes = 2;
const lastWaitMs = 600_000;
/** A copy that moves more slowly than this is not waited for. */
const bytesPerMs = 100;
const carryTimeoutMs = 60_000;

type Size = 'small' | 'large';

function sizeOf({ storedBytes }: Copy): Size {
  return storedBytes <= smallBytesMax ? 'small' : 'large';
}

/**
 * Goes once through the copies on the source that have no twin, and carries those whose turn it is: the small ones first, whose
 * flushes would wait for all bytes of large ones that are on their way to the same disk.
 */
export async function copyRound(
  options: MigratorOptions,
  migration: StorageMigration,
  signal: AbortSignal,
  onMoved: (count: number) => void,
): Promise<void> {
  const lane = async (nextBatch: () => Promise<Copy[]>) => {
    for (let batch = await nextBatch(); batch.length > 0; batch = await nextBatch()) {
      onMoved(await moveBatch(options, migration, batch, signal));
    }
  };
  for (const size of ['small', 'large'] as const) {
    const nextBatch = batchesOf(options, migration, size, signal);
    await Promise.all(Array.from({ length: lanes }, () => lane(nextBatch)));
  }
}

/** How many copies one lane moves at once. */
function atOnce({ parallel }: Pick<StorageMigration, 'parallel'>, size: Size): number {
  return Math.ceil(parallel / lanes) * (size === 'small' ? smallAtOnce : 1);
}

/** Gives the copies of a size batch by batch, each once, whoever asks; an empty batch after the last. */
function batchesOf(
  { store, clock }: MigratorOptions,
  migration: StorageMigration,
  size: Size,
  signal: AbortSignal,
): () => Promise<Copy[]> {
  let after: string | null = '';
  const read = async (): Promise<Copy[]> => {
    const batch: Copy[] = [];
    let bytes = 0;
    while (after !== null && !signal.aborted) {
      const page = { after, nowMs: clock.nowMs(), limit: batchCopiesMax };
      const copies = await store.read((reader) => standingCopies(reader, migration, page));
      for (const { copy, isDue } of copies) {
        if (isDue && sizeOf(copy) === size) {
          bytes += copy.storedBytes;
          // However large they are, there are as many as the lane moves at once.
          const isFull = bytes > batchBytesMax && batch.length >= atOnce(migration, size);
          if (isFull || batch.length === batchCopiesMax) return batch;
          batch.push(copy);
        }
        after = copy.storageKey;
      }
      if (copies.length < batchCopiesMax) after = null;
      await others();
    }
    return batch;
  };
  let last: Promise<unknown> = Promise.resolve();
  // One reader at a time, so that no two lanes get the same.
  return () => {
    const next = last.then(read);
    last = next.catch(() => {});
    return next;
  };
}

/**
 * Carries a batch and gives how many of it now stand on the target. What could not be carried is listed, and what was
 * claimed for it is given up, whatever failed.
 */
async function moveBatch(
  options: MigratorOptions,
  migration: StorageMigration,
  copies: readonly Copy[],
  signal: AbortSignal,
): Promise<number> {
  const { store, clock, newId, leftovers } = options;
  const moves = copies.map((copy): Move => {
    const writeId = newId('w');
    return { writeId, storageKey: `${placeOf(copy)}${writeId}`, copy };
  });
  const claimed = new Map(moves.map((move) => [move.writeId, move]));
  const writes = moves.map(({ writeId, storageKey, copy: { storedBytes, sizeBytes } }) => {
    return { writeId, storageKey, storedBytes, sizeBytes };
  });
  const claim = { backend: migration.target, writes, owner: options.owner(), nowMs: clock.nowMs() };
  try {
    const admitted = new Set(await store.write(claimMoves, claim));
    for (const { writeId } of moves) if (!admitted.has(writeId)) claimed.delete(writeId);
    const { moved, failures } = await carryAll(options, migration, moves, { admitted, signal });
    await enter(options, migration, moved, failures);
    for (const { writeId } of moved) claimed.delete(writeId);
    return moved.length;
  } finally {
    for (const { writeId, storageKey, copy } of claimed.values()) {
      const { storedBytes } = copy;
      await leftovers.abandon({ writeId, storageKey, storedBytes, backends: [migration.target] });
    }
  }
}

interface Failure {
  readonly copy: Copy;
  readonly error: string;
}

/**
 * Moves the bytes of those of a batch, all of one size, that have room. What is broken off, because the server stops or the
 * keeper rests, has not failed.
 */
async function carryAll(
  options: MigratorOptions,
  migration: StorageMigration,
  moves: readonly Move[],
  { admitted, signal }: { readonly admitted: ReadonlySet<string>; readonly signal: AbortSignal },
): Promise<{ readonly moved: Move[]; readonly failures: Failure[] }> {
  const { target, isReadBack } = migration;
  const moved: Move[] = [];
  const failures: Failure[] = [];
  const carry = async (move: Move, within: AbortSignal) => {
    const { copy, storageKey, writeId } = move;
    try {
      if (!admitted.has(writeId))
        throw new HoldfastError('unavailable', `${target} has no room for it, or takes no writes.`);
      await carryOne(options, copy, { target, storageKey, isReadBack, signal: within });
      moved.push(move);
    } catch (error) {
      if (signal.aborted) return;
      failures.push({ copy, error: (error instanceof Error ? error.message : String(error)).slice(0, 500) });
    }
  };
  // One deadline for all that is small: each of its own would cost more than the bytes.
  const size = sizeOf(moves[0]!.copy);
  const bytesOf = (batch: readonly Move[]) => batch.reduce((sum, { copy }) => sum + copy.storedBytes, 0);
  const inTime = (bytes: number) => AbortSignal.timeout(carryTimeoutMs + Math.ceil(bytes / bytesPerMs));
  const shared = size === 'small' ? AbortSignal.any([signal, inTime(bytesOf(moves))]) : null;
  const within = ({ copy }: Move) => shared ?? AbortSignal.any([signal, inTime(copy.storedBytes)]);
  await inParallel(moves, signal, (move) => carry(move, within(move)), atOnce(migration, size));
  return { moved, failures };
}

/** Writes how a batch went. */
async function enter(
  { store, clock, retryWaitMs: firstWaitMs }: MigratorOptions,
  { id, target }: StorageMigration,
  moves: readonly Move[],
  failures: readonly Failure[],
): Promise<void> {
  const nowMs = clock.nowMs();
  if (moves.length > 0) await store.write(joinMoves, { id, moves, target, nowMs });
  if (failures.length > 0) await store.write(failMoves, { id, failures, firstWaitMs, lastWaitMs, nowMs });
}

/** Carries a copy from the source, or, when that one cannot be read, from wherever else the same bytes stand. */
async function carryOne(
  { store, registry, memory }: MigratorOptions,
  copy: Copy,
  to: {
    readonly target: string;
    readonly storageKey: string;
    readonly isReadBack: boolean;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const place = (name: string) => {
    const known = registry.get(name);
    if (known === null) throw new HoldfastError('unavailable', `The backend ${name} is not open here.`);
    return known;
  };
  const target = place(to.target);
  try {
    await carryBlob({ ...to, memory, from: place(copy.backend), to: target, source: copy });
  } catch (error) {
    // What the target refuses, it refuses from elsewhere too.
    if (to.signal.aborted || toErrorData(error).details?.['target'] !== undefined) throw error;
    const siblings = await store.read((reader) => siblingsOf(reader, copy));
    for (const other of siblings.filter(({ backend }) => backend !== to.target)) {
      const isCarried = await carryBlob({ ...to, memory, from: place(other.backend), to: target, source: other }).then(
        () => true,
        () => false,
      );
      if (isCarried) return;
    }
    throw error;
  }
}

/** What a storage key begins with: its bucket, up to the last slash. */
function placeOf({ storageKey }: Copy): string {
  return storageKey.slice(0, storageKey.lastIndexOf('/') + 1);
}
