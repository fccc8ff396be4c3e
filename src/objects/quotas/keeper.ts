import type { Clock } from '../../kernel/ids.ts';
import type { Keeper, KeeperPlan } from '../../kernel/keepers/keeper.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import { monthOf } from '../backends/usage.ts';
import { CostSheet } from '../keepers/cost-sheet.ts';
import { booksCountedBefore, uncountedBooks } from './queries.ts';
import { type CountOptions, compareBook, countBook } from './recount.ts';
import { backendStandings, limitedStandings } from './standings.ts';
import { forgetUsage } from './subject-usage.ts';
import { type WarningItem, changedWarnings, noteWarning } from './warnings.ts';

export const usageKeeperName = 'object-usage';

/** How often books are compared with what stands, and how many at most in one run. */
const verifyEveryMs = 3_600_000;
const verifiedMax = 20;
const countedMax = 100;
/** How long new books are counted at most in one run, and how long others; the next run goes on where it ended. */
const patienceMs = 15_000;
/** How much of it a new book may have. */
const bookMs = 5_000;
/** How long the traffic of a month is kept: two years. */
const keptMs = 2 * 366 * 86_400_000;

/**
 * Counts books that are new, compares others with what stands once an hour and mends what has drifted, and tells whose
 * share of a limit has become large.
 */
export function usageKeeper(store: Store, clock: Clock, periodMs: number): Keeper {
  return {
    name: usageKeeperName,
    summary: 'Counts what buckets and users with a quota have, mends their books, and warns of limits that come close.',
    periodMs,
    run: async (signal) => {
      const failures: unknown[] = [];
      const work = (): Work => ({ store, clock, signal, failures, untilMs: performance.now() + patienceMs });
      const counted = await countNew(work());
      const mended = await verify(work());
      const warned = await warn(work());
      await store.write(forgetUsage, { before: monthOf(clock.nowMs() - keptMs) });
      // Books that cannot be counted must not keep the others from being seen to.
      if (failures.length > 0) throw failures[0];
      return `${counted} books counted, ${mended} mended, ${warned} warnings`;
    },
    plan: (signal) => plan(store, clock, signal),
  };
}

interface Work {
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly failures: unknown[];
  readonly untilMs: number;
}

function options({ signal, untilMs }: Work): CountOptions {
  return { signal, patienceMs: untilMs - performance.now() };
}

function isOver({ signal, untilMs }: Work): boolean {
  return signal.aborted || performance.now() > untilMs;
}

async function countNew(work: Work): Promise<number> {
  const { store, clock, failures } = work;
  let counted = 0;
  for (const book of await store.read((reader) => uncountedBooks(reader, countedMax))) {
    if (isOver(work)) break;
    try {
      // Each has its turn, also where one must wait for somebody in flight.
      const left = options(work);
      const own = { ...left, patienceMs: Math.min(left.patienceMs, bookMs) };
      if (await countBook(store, clock, book, own)) counted++;
    } catch (error) {
      failures.push(error);
    }
  }
  return counted;
}

async function verify(work: Work): Promise<number> {
  const { store, clock, failures } = work;
  const beforeMs = clock.nowMs() - verifyEveryMs;
  let mended = 0;
  for (const book of await store.read((reader) => booksCountedBefore(reader, beforeMs, verifiedMax))) {
    if (isOver(work)) break;
    try {
      if ((await compareBook(store, clock, book, options(work))) === 'wrong') mended++;
    } catch (error) {
      failures.push(error);
    }
  }
  return mended;
}

/** Shares of limits that are to be told of, or that are not large any more. */
async function warningsAt(reader: Reader, nowMs: number): Promise<readonly WarningItem[]> {
  const month = monthOf(nowMs);
  const standings = [...(await backendStandings(reader, month)), ...(await limitedStandings(reader, month))];
  return changedWarnings(reader, standings);
}

async function warn({ store, clock, signal }: Work): Promise<number> {
  const items = await store.read((reader) => warningsAt(reader, clock.nowMs()));
  let warned = 0;
  for (const item of items) {
    if (signal.aborted) break;
    if (await store.write(noteWarning, { item, nowMs: clock.nowMs() })) warned++;
  }
  return warned;
}

/** Books that are counted or mended, and limits that are told of. No backend is called. */
async function plan(store: Store, clock: Clock, signal: AbortSignal): Promise<KeeperPlan> {
  const nowMs = clock.nowMs();
  const sheet = new CostSheet();
  for (const { subject } of await store.read((reader) => uncountedBooks(reader, countedMax))) {
    sheet.step('count', subject, 0);
  }
  const due = await store.read((reader) => booksCountedBefore(reader, nowMs - verifyEveryMs, verifiedMax));
  for (const { subject } of due) {
    signal.throwIfAborted();
    sheet.step('compare', subject, 0);
  }
  for (const { subject, meter, share } of await store.read((reader) => warningsAt(reader, nowMs))) {
    sheet.step('note', `${subject}: ${meter} at ${Math.floor(share * 100)} % of the limit`, 0);
  }
  return sheet.plan((count) => `${count} books and limits are to be seen to.`, true);
}
