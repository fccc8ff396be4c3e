import type { Clock } from '../../kernel/ids.ts';
import type { Keeper, ReportProgress } from '../../kernel/keepers/keeper.ts';
import { KeeperMark } from '../../kernel/keepers/mark.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { LentBuffers } from '../content/lent-buffers.ts';
import { coverageSince } from '../checking/scrub-queue.ts';
import type { Rate } from './budget.ts';
import { Budget } from './budget.ts';
import { planScrub } from './plan-scrub.ts';
import { type BackendScrub, type ScrubTally, scrubBackend } from './scrub-backend.ts';

export interface ScrubOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
  readonly memory: LentBuffers;
  readonly periodMs: number;
  /** How often each copy is read; 0 is never. */
  readonly intervalMs: number;
  /** What may be used of each backend. */
  readonly rate: Rate;
  onError(error: unknown, about: string): void;
}

const name = 'object-scrubber';
/** How long a run takes at most; the next one goes on where it stopped. */
const runMsMax = 600_000;
/** Counting all copies is not done more often than this. */
const coverageEveryMs = 3_600_000;

type Mark = Readonly<Record<string, BackendScrub['after']>>;

/** Reads all copies in turn, those whose turn is longest ago first, and replaces the damaged ones from good ones. */
export function scrubKeeper(options: ScrubOptions): Keeper {
  const { store, registry, clock, periodMs, intervalMs, rate } = options;
  const mark = new KeeperMark(store, name);
  const budgets = new Map<string, Budget>();
  const budgetOf = (backend: string): Budget => {
    const known = budgets.get(backend) ?? new Budget(rate);
    budgets.set(backend, known);
    return known;
  };
  const coverage = coverageTeller(options);
  return {
    name,
    summary: 'Reads every copy of objects now and then, and replaces damaged ones from good ones.',
    periodMs,
    run: async (signal, progress) => {
      if (intervalMs === 0) return 'switched off';
      const from = JSON.parse((await mark.load()) ?? '{}') as Mark;
      const endAtMs = performance.now() + runMsMax;
      const tally = emptyTally();
      const dueBeforeMs = clock.nowMs() - intervalMs;
      const scrubs = registry.all.map(async (known): Promise<readonly [string, BackendScrub]> => {
        const place = { known, budget: budgetOf(known.name), dueBeforeMs, after: from[known.name] ?? null, endAtMs };
        const onLook = () => report(progress, tally);
        return [known.name, await scrubBackend(options, place, tally, { signal, onLook })];
      });
      const ended = await Promise.all(scrubs);
      await mark.save(markOf(ended));
      const deferred = ended.flatMap(([backend, { deferred: why }]) => (why === null ? [] : [`${backend} ${why}`]));
      const leftOut = deferred.length === 0 ? '' : `deferred: ${deferred.join(', ')}`;
      return [sentence(tally), leftOut, await coverage(signal)].filter((text) => text !== '').join('; ');
    },
    plan: async (signal) => {
      const from = JSON.parse((await mark.load()) ?? '{}') as Mark;
      return planScrub(options, { from, dueBeforeMs: clock.nowMs() - intervalMs, runMsMax }, signal);
    },
  };
}

function emptyTally(): ScrubTally {
  return { verified: 0, replaced: 0, kept: 0, unreadable: 0 };
}

function report(progress: ReportProgress | undefined, { verified, replaced, kept, unreadable }: ScrubTally): void {
  progress?.({ done: verified + replaced + kept + unreadable, total: null, detail: `${replaced + kept} damaged` });
}

function sentence({ verified, replaced, kept, unreadable }: ScrubTally): string {
  return `${verified} copies are right, ${replaced} damaged ones are replaced, ${kept} are kept for want of a good one, ${unreadable} could not be read`;
}

/** Where each backend goes on; those that came to an end begin anew. */
function markOf(ended: readonly (readonly [string, BackendScrub])[]): string | null {
  const left = ended.filter(([, { after }]) => after !== null).map(([backend, { after }]) => [backend, after]);
  return left.length === 0 ? null : JSON.stringify(Object.fromEntries(left));
}

/** Says how much was verified within the interval, from memory where that was counted not long ago. */
function coverageTeller({ store, clock, intervalMs }: ScrubOptions): (signal: AbortSignal) => Promise<string> {
  let told = { atMs: Number.NEGATIVE_INFINITY, text: '' };
  return async (signal) => {
    const nowMs = clock.nowMs();
    if (nowMs - told.atMs < coverageEveryMs) return told.text;
    const { copies, verified, damaged } = await coverageSince(store, nowMs - intervalMs, signal);
    if (signal.aborted) return told.text;
    const share = copies === 0 ? 100 : Math.floor((verified * 1_000) / copies) / 10;
    const days = Math.round(intervalMs / 86_400_000);
    const text = `${share} % of ${copies} copies were verified within ${days} days, ${damaged} are damaged and kept`;
    told = { atMs: nowMs, text };
    return text;
  };
}
