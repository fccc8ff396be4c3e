import { HoldfastError, toErrorData } from '../../kernel/errors/errors.ts';
import type { Keeper, ReportProgress } from '../../kernel/keepers/keeper.ts';
import { findGoodCopy } from '../checking/find-good-copy.ts';
import type { BucketSettings } from '../bucket.ts';
import { queueAway } from '../ledger/outages.ts';
import type { Copy } from '../object.ts';
import { queueDraining } from '../ledger/draining.ts';
import { claimShortfalls, dropCopy, settleShortfall } from '../ledger/shortfalls.ts';
import { type ContentWishes, wishesOf } from '../ledger/wanted-copies.ts';
import type { ShortfallRow } from '../tables.ts';
import type { CapacityView } from '../writing/capacity.ts';
import { backoffMs, inParallel } from './batches.ts';
import { FailedTargets, failuresOf } from './failed-targets.ts';
import { owedFinder } from './find-owed.ts';
import { whyNowhere } from './nowhere.ts';
import { OutageWatch } from './outage-watch.ts';
import { planReplication } from './plan-replication.ts';
import { nextStep } from './replicate-step.ts';
import { type ReplicateOptions, replicate } from './replicate.ts';
import { storedCopies } from './stored-copies.ts';

const batchSize = 100;
const batchesMax = 100;
const leaseMs = 15 * 60_000;
const lastWaitMs = 3_600_000;
/** How many targets are tried for one copy before it is left for later. */
const targetsMax = 3;

export interface ReplicatorOptions extends ReplicateOptions {
  readonly capacity: CapacityView;
  /** Before a copy that failed is tried again; it doubles each time. */
  readonly retryWaitMs: number;
  /** How long a backend may be out of order before its copies count as missing. */
  readonly unhealthyAfterMs: number;
}

/** What one run knows beside the ledger. */
interface Run {
  /** Backends whose copies count as missing. */
  readonly away: ReadonlySet<string>;
  readonly targets: FailedTargets;
  readonly signal: AbortSignal;
}

/** What failed for a content in all its attempts; grows as more is tried. */
interface Attempt {
  readonly row: ShortfallRow;
  failedTargets: readonly string[];
}

/** Makes the copies that contents want, and moves those that stand on draining backends. */
export function replicatorKeeper(options: ReplicatorOptions, periodMs: number): Keeper {
  const { store, clock, owner } = options;
  const name = 'object-replicator';
  const owed = owedFinder(store, clock, name);
  const watch = new OutageWatch(options);
  return {
    name,
    summary: 'Makes missing copies of objects, and moves copies off backends that are drained or do not work.',
    periodMs,
    run: async (signal, progress) => {
      const run: Run = { away: await watch.look(signal), targets: new FailedTargets(), signal };
      const sum = { settled: 0, failed: 0 };
      await owed.find(signal);
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        await store.write(queueDraining, { limit: batchSize, nowMs: clock.nowMs() });
        if (run.away.size > 0) await store.write(queueAway, { limit: batchSize, nowMs: clock.nowMs() });
        const claim = { owner: owner(), limit: batchSize, nowMs: clock.nowMs(), leaseMs };
        const rows = await store.write(claimShortfalls, claim);
        await inParallel(rows, signal, (row) => settle(options, { row, failedTargets: failuresOf(row) }, run, sum));
        tell(progress, sum);
        if (rows.length < batchSize) break;
      }
      return `${sum.settled} contents settled, ${sum.failed} left for later`;
    },
    plan: (signal) => planReplication(options, { owed, watch, batchSize, batchesMax }, signal),
  };
}

function tell(progress: ReportProgress | undefined, { settled, failed }: { settled: number; failed: number }): void {
  progress?.({ done: settled + failed, total: null, detail: `${failed} left for later` });
}

async function settle(
  options: ReplicatorOptions,
  attempt: Attempt,
  run: Run,
  sum: { settled: number; failed: number },
): Promise<void> {
  const { store, clock, owner, retryWaitMs } = options;
  const { content_id: contentId, part, attempts } = attempt.row;
  const retry = await fill(options, attempt, run).then(
    () => null,
    (error: unknown) => ({
      error: (error instanceof Error ? error.message : String(error)).slice(0, 500),
      dueAtMs: clock.nowMs() + backoffMs(attempts, retryWaitMs, lastWaitMs),
      failedTargets: attempt.failedTargets,
    }),
  );
  await store.write(settleShortfall, { contentId, part, owner: owner(), retry, nowMs: clock.nowMs() });
  if (retry === null) sum.settled++;
  else sum.failed++;
}

/** Brings one part to the number of copies that its bucket wants, on backends that are not drained and work. */
async function fill(options: ReplicatorOptions, attempt: Attempt, run: Run): Promise<void> {
  const { store, registry, clock } = options;
  const { content_id: contentId, part } = attempt.row;
  const wishes = await store.read((reader) => wishesOf(reader, contentId));
  if (wishes === null) return;
  const { copies: wanted, requiredLabels } = wishes.settings;
  const view = { registry, away: run.away };
  // What was made just now was verified; else the bytes that leave may be the last good ones.
  let isProven = false;
  for (let made = 0; ; made++) {
    const copies = await storedCopies(store, contentId, part);
    const step = nextStep(view, copies, wishes, made);
    if (step.kind === 'none') return;
    if (step.kind === 'drop') {
      const { staying, leaving } = step;
      isProven ||= leaving.length === 0 || (await findGoodCopy(registry, staying, run.signal)) !== null;
      if (!isProven)
        throw new HoldfastError('backend', 'None of the copies that are to stay could be read and is right.');
      for (const { backend } of leaving) {
        const drop = { contentId, part, backend, remaining: wanted, requiredLabels, nowMs: clock.nowMs() };
        await store.write(dropCopy, drop);
      }
      return;
    }
    try {
      if (await makeOne(options, copies, wishes, wishes.settings, attempt, run)) isProven = true;
    } catch (error) {
      // What its storage class has no room for is kept as safe as ever where the bucket lets it stand.
      const isElsewhere = step.isShort && wishes.bucketSettings !== wishes.settings && !run.signal.aborted;
      if (isElsewhere) await makeOne(options, copies, wishes, wishes.bucketSettings, attempt, run);
      throw error;
    }
  }
}

/**
 * Makes one copy on the best target that settings allow and that takes it; gives whether it was wanted. Throws what the last
 * one that was tried threw.
 */
async function makeOne(
  options: ReplicatorOptions,
  copies: readonly Copy[],
  { bucket, settings: { requiredLabels } }: ContentWishes,
  settings: BucketSettings,
  attempt: Attempt,
  { targets, away, signal }: Run,
): Promise<boolean> {
  const [{ storedBytes, sizeBytes }] = copies as [Copy];
  const holders = copies.map(({ backend }) => backend);
  const ranked = await options.capacity.rank(settings, storedBytes, holders);
  const refusal = whyNowhere(options.registry.all, holders, settings, { sizeBytes, storedBytes });
  for (let tried = 1; ; tried++) {
    const candidates = targets.order(ranked, attempt.failedTargets);
    const wish = { copiesWanted: settings.copies, requiredLabels };
    const target = { bucket, ...wish, candidates, refusal, attempts: attempt.row.attempts, away };
    try {
      const made = await replicate(options, copies, target, signal);
      if (made !== null) targets.noteSuccess(made.backend);
      return made !== null;
    } catch (error) {
      const failed = toErrorData(error).details?.['target'];
      if (typeof failed !== 'string') throw error;
      attempt.failedTargets = targets.noteFailure(failed, attempt.failedTargets);
      if (tried >= Math.min(targetsMax, ranked.length) || signal.aborted) throw error;
    }
  }
}
