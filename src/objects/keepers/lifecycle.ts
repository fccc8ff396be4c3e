import type { Clock, IdSource } from '../../kernel/ids.ts';
import { type Keeper, type ReportProgress, planStepsMax } from '../../kernel/keepers/keeper.ts';
import { KeeperMark } from '../../kernel/keepers/mark.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import { s3CodeOf } from '../errors.ts';
import { expireVersion } from '../ledger/expire-version.ts';
import { transitionVersion } from '../ledger/transition-version.ts';
import { abortUpload } from '../ledger/uploads.ts';
import { type OpenUpload, uploadsBefore } from '../lifecycle/due.ts';
import { judgeUpload } from '../lifecycle/judge.ts';
import { type Demand, type PassPosition, type RuledBucket, passOver, readRules } from '../lifecycle/pass.ts';
import { lifecyclePlan } from '../lifecycle/plan.ts';
import { windowsOf } from '../lifecycle/windows.ts';
import { inParallel } from './batches.ts';

export interface LifecycleOptions {
  readonly store: Store;
  readonly newId: IdSource;
  readonly clock: Clock;
  /** Told of keys that were changed, for whoever remembers them. */
  forget(bucket: string, key: string, versionId: string): void;
  onError(error: unknown, about: string): void;
}

const name = 'object-lifecycle';
/** How many pages are looked at in one run, and how many of those in vain: what is left goes on in the next run. */
const pagesMax = 2_000;
const idlePagesMax = 200;
const uploadsPageSize = 500;
const uploadPagesMax = 200;
/** After so many failures the rest would fail as well. */
const failuresMax = 100;

interface Tally {
  expired: number;
  moved: number;
  removed: number;
  aborted: number;
  /** Locked, or changed since they were judged. */
  kept: number;
  failed: number;
}

const tallied = { expire: 'expired', remove: 'removed', transition: 'moved' } as const;

/** Carries out the lifecycle rules of buckets. */
export function lifecycleKeeper(options: LifecycleOptions, periodMs: number): Keeper {
  const { store, clock, onError } = options;
  const mark = new KeeperMark(store, name);
  return {
    name,
    summary:
      'Removes objects, old versions, delete markers and uploads that are due by the rules of their buckets, or moves them to another storage class.',
    periodMs,
    run: async (signal, progress) => {
      const tally: Tally = { expired: 0, moved: 0, removed: 0, aborted: 0, kept: 0, failed: 0 };
      const nowMs = clock.nowMs();
      const ruled = await readRules(store, onError);
      await abortUploads(options, ruled.buckets, tally, signal);
      const from = JSON.parse((await mark.load()) ?? 'null') as PassPosition | null;
      const end = await carryOut(options, passOver(store, ruled, from, nowMs), tally, { from, signal, progress });
      // A pass that stops keeps its place, and one that ended begins anew next time.
      if (end !== null || from !== null) await mark.save(end === null ? null : JSON.stringify(end));
      return sentence(tally);
    },
    plan: async (signal) => {
      const nowMs = clock.nowMs();
      const ruled = await readRules(store, onError);
      const demands: Demand[] = [];
      let isExact = true;
      let pages = 0;
      for await (const page of passOver(store, ruled, null, nowMs)) {
        demands.push(...page.demands);
        isExact = page.position === null;
        if (signal.aborted || demands.length >= planStepsMax || ++pages === idlePagesMax) break;
      }
      return lifecyclePlan(store, demands, ruled.classes, isExact);
    },
  };
}

function sentence({ expired, moved, removed, aborted, kept, failed }: Tally): string {
  const parts = [`${expired} objects expired`, `${removed} versions removed`, `${aborted} uploads given up`];
  if (moved > 0) parts.push(`${moved} put into another storage class`);
  if (kept > 0) parts.push(`${kept} kept since they were locked or changed`);
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(', ');
}

/** Carries out a pass until it ends or has done enough. Gives where the next one goes on. */
async function carryOut(
  options: LifecycleOptions,
  pages: ReturnType<typeof passOver>,
  tally: Tally,
  run: {
    readonly from: PassPosition | null;
    readonly signal: AbortSignal;
    readonly progress?: ReportProgress | undefined;
  },
): Promise<PassPosition | null> {
  const { signal, progress } = run;
  let idle = 0;
  let looked = 0;
  let done = 0;
  let reached: PassPosition | null = run.from;
  for await (const { bucket, demands, position } of pages) {
    await inParallel(demands, signal, (demand) => carryOutOne(options, bucket, demand, tally));
    // What was not done of this page is looked at again, since a page begins anew where it began.
    if (signal.aborted) return reached;
    if (tally.failed >= failuresMax) {
      throw new HoldfastError(
        'unavailable',
        `${tally.failed} versions could not be removed or moved; the next run goes on with them.`,
      );
    }
    looked++;
    reached = position;
    done += demands.length;
    progress?.({ done, total: null, detail: bucket.name });
    if (demands.length === 0) idle++;
    if (idle === idlePagesMax || looked === pagesMax) break;
  }
  return looked === 0 ? null : reached;
}

async function carryOutOne(
  { store, newId, clock, forget, onError }: LifecycleOptions,
  { version: bucketVersion }: RuledBucket,
  { candidate, verdict }: Demand,
  tally: Tally,
): Promise<void> {
  if (tally.failed >= failuresMax) return;
  const { ruleId, newerNeeded } = verdict;
  const { bucket, key, versionId } = candidate;
  const request = { judged: { ...candidate, newerNeeded }, bucketVersion, ruleId, nowMs: clock.nowMs() };
  try {
    const isDone =
      verdict.action === 'transition'
        ? await store.write(transitionVersion, { ...request, to: verdict.to })
        : await store.write(expireVersion, { ...request, action: verdict.action, markerId: newId('v') });
    if (!isDone) tally.kept++;
    else tally[tallied[verdict.action]]++;
  } catch (error) {
    if (s3CodeOf(error) === 'AccessDenied') tally.kept++;
    else {
      tally.failed++;
      onError(error, `a lifecycle rule was not carried out on ${bucket}/${key}`);
    }
  } finally {
    forget(bucket, key, versionId);
  }
}

/** Gives up open uploads that are older than their bucket's rules let them be. There are never many open ones. */
async function abortUploads(
  { store, clock, onError }: LifecycleOptions,
  buckets: readonly RuledBucket[],
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = clock.nowMs();
  const byName = new Map(buckets.map((bucket) => [bucket.name, bucket]));
  const ends = buckets.map(({ rules }) => windowsOf(rules, nowMs).uploadsBeforeMs ?? 0);
  const beforeMs = Math.max(0, ...ends);
  let after: OpenUpload | null = null;
  for (let page = 0; beforeMs > 0 && page < uploadPagesMax && !signal.aborted; page++) {
    const last: OpenUpload | null = after;
    const uploads: OpenUpload[] = await store.read((reader) =>
      uploadsBefore(reader, beforeMs, { after: last, limit: uploadsPageSize }),
    );
    const due = uploads.filter((one) => judgeUpload(byName.get(one.bucket)?.rules ?? [], one, nowMs) !== null);
    await inParallel(due, signal, async ({ uploadId }) => {
      try {
        await store.write(abortUpload, { uploadId, nowMs: clock.nowMs() });
        tally.aborted++;
      } catch (error) {
        // It was completed or given up meanwhile.
        if (s3CodeOf(error) === 'NoSuchUpload') return;
        tally.failed++;
        onError(error, `the upload ${uploadId} was not given up`);
      }
    });
    if (uploads.length < uploadsPageSize) return;
    after = uploads.at(-1)!;
  }
}
