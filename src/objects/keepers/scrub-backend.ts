import type { KnownBackend } from '../backends/registry.ts';
import { checkCopy } from '../checking/check-copy.ts';
import { type ScrubPosition, copiesToScrub, scrubPositionOf } from '../checking/scrub-queue.ts';
import { settleBadCopy } from '../checking/settle-bad-copy.ts';
import { looksMax, noteGoodLooks, noteLook } from '../ledger/note-look.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';
import type { Budget } from './budget.ts';
import type { ScrubOptions } from './scrub.ts';

/** What a run has done so far; counted up. */
export interface ScrubTally {
  verified: number;
  replaced: number;
  kept: number;
  unreadable: number;
}

/** A backend at its turn. */
export interface ScrubPlace {
  readonly known: KnownBackend;
  readonly budget: Budget;
  readonly dueBeforeMs: number;
  /** Where the last run stopped. */
  readonly after: ScrubPosition | null;
  /** After this moment of the monotonic clock no other copy is begun. */
  readonly endAtMs: number;
}

/** How far a backend came. */
export interface BackendScrub {
  /** Where the next run goes on; `null` from the beginning. */
  readonly after: ScrubPosition | null;
  /** Why it was left before its end; `null` when it was not. */
  readonly deferred: string | null;
}

/** So many copies in a row that cannot be read are no trouble of theirs: the backend is left for this run. */
const unreadableInRowMax = 10;
const lookTimeoutMs = 60_000;
/** A copy that comes at less than this share of the budget is not waited for. */
const paceShare = 0.1;

/** Reads what is due on a backend until nothing is, the signal aborts, or the backend is better left alone. */
export async function scrubBackend(
  options: ScrubOptions,
  { known, budget, dueBeforeMs, after: from, endAtMs }: ScrubPlace,
  tally: ScrubTally,
  { signal, onLook }: { readonly signal: AbortSignal; readonly onLook: () => void },
): Promise<BackendScrub> {
  const { store, clock } = options;
  let after = from;
  let unreadableInRow = 0;
  const isOver = () => signal.aborted || performance.now() > endAtMs;
  for (;;) {
    const page = { after, limit: looksMax };
    const due = { backend: known.name, beforeMs: dueBeforeMs };
    const rows = await store.read((reader) => copiesToScrub(reader, due, page));
    const good: string[] = [];
    let deferred: string | null = null;
    for (const row of rows) {
      deferred = whyNotScrubbed(known) ?? (unreadableInRow >= unreadableInRowMax ? 'cannot be read' : null);
      if (deferred !== null || isOver()) break;
      const place = { known, budget, good };
      const isReadable = await lookAt(options, place, row, tally, signal).catch((error: unknown) => {
        if (!signal.aborted) options.onError(error, `a copy on ${known.name} was not scrubbed`);
        return false;
      });
      if (signal.aborted) break;
      unreadableInRow = isReadable ? 0 : unreadableInRow + 1;
      after = scrubPositionOf(row);
      onLook();
    }
    // Also when it was stopped: what was read need not be read again.
    await store
      .write(noteGoodLooks, { backend: known.name, storageKeys: good, nowMs: clock.nowMs() })
      .catch((error: unknown) => options.onError(error, `copies on ${known.name} were scrubbed, which was not noted`));
    if (deferred !== null || isOver()) return { after, deferred };
    if (rows.length < looksMax) return { after: null, deferred: null };
  }
}

/** Why a backend is not to be read now; `null` when it may be. */
export function whyNotScrubbed(known: KnownBackend): string | null {
  if (!known.isOpenFor('read')) return 'does not work';
  if (known.isOver('egress')) return 'has reached its monthly egress';
  return known.isOver('requests') ? 'has reached its monthly requests' : null;
}

/** Reads one copy at the pace of the budget, and adds it to the good ones when it is. Gives whether it could be read. */
async function lookAt(
  options: ScrubOptions,
  { known, budget, good }: Pick<ScrubPlace, 'known' | 'budget'> & { readonly good: string[] },
  row: CopyRow,
  tally: ScrubTally,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, clock, memory, rate } = options;
  await budget.spend({ requests: 1 }, signal);
  const paceMs = (row.stored_bytes * 1_000) / (rate.bytesPerSecond * paceShare);
  const deadline = AbortSignal.timeout(Math.min(2 ** 31 - 1, lookTimeoutMs + Math.ceil(paceMs)));
  const limits = AbortSignal.any([signal, deadline]);
  const onBytes = (bytes: number) => budget.spend({ bytes }, limits);
  const into = memory.lend(row.stored_bytes);
  const { verdict } = await checkCopy(known.backend, toCopy(row), { signal: limits, onBytes, into });
  // What could not be read may still be being read.
  if (verdict !== 'unreadable') memory.giveBack(into);
  const { backend, storage_key: storageKey, content_id: contentId, part } = row;
  const look = { backend, storageKey, nowMs: clock.nowMs() };
  if (verdict === 'good') {
    good.push(storageKey);
    tally.verified++;
  } else if (verdict === 'bad') {
    const settlement = await settleBadCopy(options, { contentId, part, backend, storageKey });
    if (settlement === 'replaced') tally.replaced++;
    if (settlement === 'good') tally.verified++;
    if (settlement === 'kept') tally.kept++;
    if (settlement === 'open') tally.unreadable++;
    if (settlement === 'good' || settlement === 'kept') {
      await store.write(noteLook, { ...look, isGood: settlement === 'good' });
    }
  } else tally.unreadable++;
  return verdict !== 'unreadable';
}
