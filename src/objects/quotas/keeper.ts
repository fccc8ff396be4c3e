import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { monthOf } from '../backends/usage.ts';
import { booksCountedBefore, uncountedBooks } from './queries.ts';
import type { QuotaBook } from './quota.ts';
import { countBook, recountQuota } from './recount.ts';
import { backendStandings, limitedStandings } from './standings.ts';
import { forgetUsage } from './subject-usage.ts';
import { sumsOf } from './sums.ts';
import { changedWarnings, noteWarning } from './warnings.ts';

export const usageKeeperName = 'object-usage';

/** How often books are compared with what stands, and how many at most in one run. */
const verifyEveryMs = 3_600_000;
const verifiedMax = 20;
const countedMax = 100;
const patienceMs = 5_000;
/** How long the traffic of a month is kept: two years. */
const keptMs = 2 * 366 * 86_400_000;

/** That books were right, at a time. */
export const markVerified = transaction(
  import.meta.url,
  'markVerified',
  async (
    tx,
    { subject, bookId, nowMs }: { readonly subject: string; readonly bookId: string; readonly nowMs: number },
  ) =>
    tx.run('update quota_books set counted_at = ? where subject = ? and book_id = ? and counted_at is not null', [
      nowMs,
      subject,
      bookId,
    ]),
  () => true,
);

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
      const work = { store, clock, signal, failures };
      const counted = await countNew(work);
      const mended = await verify(work);
      const warned = await warn(work);
      await store.write(forgetUsage, { before: monthOf(clock.nowMs() - keptMs) });
      // Books that cannot be counted must not keep the others from being seen to.
      if (failures.length > 0) throw failures[0];
      return `${counted} books counted, ${mended} mended, ${warned} warnings`;
    },
  };
}

interface Work {
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly failures: unknown[];
}

async function countNew({ store, clock, signal, failures }: Work): Promise<number> {
  let counted = 0;
  for (const book of await store.read((reader) => uncountedBooks(reader, countedMax))) {
    if (signal.aborted) break;
    try {
      if (await countBook(store, clock, book, patienceMs)) counted++;
    } catch (error) {
      failures.push(error);
    }
  }
  return counted;
}

async function verify({ store, clock, signal, failures }: Work): Promise<number> {
  const beforeMs = clock.nowMs() - verifyEveryMs;
  let mended = 0;
  for (const book of await store.read((reader) => booksCountedBefore(reader, beforeMs, verifiedMax))) {
    if (signal.aborted) break;
    try {
      if (await verifyBook(store, clock, book)) mended++;
    } catch (error) {
      failures.push(error);
    }
  }
  return mended;
}

/** Gives whether books had to be mended. Those that are right are only read: their writers wait for nobody. */
async function verifyBook(store: Store, clock: Clock, { subject, bookId }: QuotaBook): Promise<boolean> {
  const sums = await store.read((reader) => sumsOf(reader, subject));
  if (sums === null) return false;
  const isRight = sums.usedBytes === sums.bytes && sums.usedObjects === sums.objects;
  if (isRight) await store.write(markVerified, { subject, bookId, nowMs: clock.nowMs() });
  else await store.write(recountQuota, { subject, bookId, isFinal: true, nowMs: clock.nowMs() });
  return !isRight;
}

async function warn({ store, clock, signal }: Work): Promise<number> {
  const month = monthOf(clock.nowMs());
  const items = await store.read(async (reader) => {
    const standings = [...(await backendStandings(reader, month)), ...(await limitedStandings(reader, month))];
    return changedWarnings(reader, standings);
  });
  let warned = 0;
  for (const item of items) {
    if (signal.aborted) break;
    if (await store.write(noteWarning, { item, nowMs: clock.nowMs() })) warned++;
  }
  return warned;
}
