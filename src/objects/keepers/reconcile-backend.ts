import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { KnownBackend } from '../backends/registry.ts';
import type { BlobFacts } from '../backends/backend.ts';
import { type Compared, type ComparedBackend, compare, stillMissing, stillUnknown } from '../checking/compare.ts';
import { settleBadCopy } from '../checking/settle-bad-copy.ts';
import { bornAtMs, isOwnBlob, isOwnKey } from '../checking/unknown-blob.ts';
import { queueOrphan } from '../ledger/queue-orphan.ts';
import type { CopyRow } from '../tables.ts';
import { importForeign } from './import-foreign.ts';
import type { ReconcileOptions } from './reconcile.ts';

/** What a round found on a backend and did; counted up. */
export interface ReconcileTally {
  blobs: number;
  missing: number;
  replaced: number;
  kept: number;
  young: number;
  /** Unknown blobs that a gateway wrote, and those of others. */
  ownUnknown: number;
  foreign: number;
  unknownBytes: number;
  imported: number;
  queued: number;
  /** What could not be looked at. */
  unreadable: number;
  readonly examples: string[];
}

export function emptyReconcileTally(): ReconcileTally {
  const unknown = { ownUnknown: 0, foreign: 0, unknownBytes: 0, imported: 0, queued: 0 };
  return { blobs: 0, missing: 0, replaced: 0, kept: 0, young: 0, unreadable: 0, ...unknown, examples: [] };
}

/** After so many keys the place is kept: a run that is stopped goes over no more than these again. */
const placeEvery = 1_000;
const callTimeoutMs = 60_000;
const examplesMax = 5;
/**
 * So many are dealt with one by one. When there are more, and they are more than half of what was compared, then it is not
 * copies that went missing, or blobs that were left over: the backend is another one, or the ledger is an old one.
 */
const amissMax = 100;

interface Round extends ReconcileOptions {
  readonly known: KnownBackend;
  readonly compared: ComparedBackend;
  readonly tally: ReconcileTally;
}

/**
 * Compares a backend with the ledger from a storage key on. Throws `backend` when its listing is out of order, and when so
 * much is amiss that nothing should be done about it without a person.
 */
export async function reconcileBackend(
  options: ReconcileOptions,
  known: KnownBackend,
  after: string,
  tally: ReconcileTally,
  { signal, onPlace }: { readonly signal: AbortSignal; readonly onPlace: (key: string) => Promise<void> },
): Promise<void> {
  const compared = { store: options.store, name: known.name, backend: known.backend, signal };
  const round: Round = { ...options, known, compared, tally };
  let steps = 0;
  for await (const one of compare(compared, after)) {
    signal.throwIfAborted();
    if (one.kind !== 'missing') tally.blobs++;
    await dealWith(round, one).catch((error: unknown) => {
      // What cannot be looked at is no reason to leave all that follows.
      if (signal.aborted || error instanceof Amiss || ++tally.unreadable > amissMax) throw error;
      options.onError(error, `${one.key} on ${known.name} could not be compared`);
    });
    if (++steps % placeEvery === 0) await onPlace(one.key);
  }
}

async function dealWith(round: Round, one: Compared): Promise<void> {
  if (one.kind === 'unknown') return dealWithUnknown(round, one.blob);
  const isAmiss =
    one.kind === 'missing'
      ? await stillMissing(round.compared, one.copy)
      : one.blob.sizeBytes !== one.copy.stored_bytes;
  if (isAmiss) await dealWithMissing(round, one.copy);
}

/** So much is amiss that a person must look. */
class Amiss extends HoldfastError {
  constructor(sentence: string, reason: string) {
    super('backend', sentence, { reason });
  }
}

/** A copy that is not there, or not as long as it should be, is a bad one. */
async function dealWithMissing(round: Round, row: CopyRow): Promise<void> {
  const { tally, known } = round;
  tally.missing++;
  if (tally.missing > amissMax && tally.missing > tally.blobs) {
    throw new Amiss(
      `More than half of the copies that should stand on ${known.name} are not there, so nothing more is done about them: see whether it is the right place, and drain or remove it when they are lost.`,
      'too_much_missing',
    );
  }
  const { content_id: contentId, part, backend, storage_key: storageKey } = row;
  const settlement = await settleBadCopy(round, { contentId, part, backend, storageKey });
  if (settlement === 'replaced') tally.replaced++;
  if (settlement === 'kept') tally.kept++;
}

async function dealWithUnknown(round: Round, listed: BlobFacts): Promise<void> {
  const { clock, graceMs, unknown, compared, tally, known } = round;
  if (clock.nowMs() - bornAtMs(listed) < graceMs) {
    tally.young++;
    return;
  }
  const blob = await stillUnknown(compared, listed.key);
  if (blob === null) return;
  const limits = AbortSignal.any([compared.signal, AbortSignal.timeout(callTimeoutMs)]);
  const isOurs = unknown === 'ignore' ? isOwnKey(blob.key) : await isOwnBlob(known.backend, blob, limits);
  if (isOurs) tally.ownUnknown++;
  else tally.foreign++;
  tally.unknownBytes += blob.sizeBytes;
  if (tally.examples.length < examplesMax) tally.examples.push(blob.key.slice(0, 200));
  if (isOurs && (unknown === 'import' || unknown === 'delete-after')) await queue(round, blob);
  else if (!isOurs && unknown === 'import' && (await importForeign(round, known, blob, compared.signal)))
    tally.imported++;
}

/** Bytes that a gateway wrote and nothing refers to: what an object they once were was deleted, or never came to be. */
async function queue({ store, clock, known, tally }: Round, blob: BlobFacts): Promise<void> {
  if (tally.ownUnknown > amissMax && tally.ownUnknown > tally.blobs / 2) {
    throw new Amiss(
      `More than half of what ${known.name} holds was written by a gateway and is not in the ledger, so nothing more is deleted: see whether the ledger is an old one, and rebuild it then.`,
      'too_much_unknown',
    );
  }
  const bytes = { backend: known.name, storageKey: blob.key, storedBytes: blob.sizeBytes };
  if (await store.write(queueOrphan, { bytes, nowMs: clock.nowMs() })) tally.queued++;
}
