import { setImmediate as others } from 'node:timers/promises';
import type { Keeper, KeeperPlan } from '../../kernel/keepers/keeper.ts';
import { KeeperMark } from '../../kernel/keepers/mark.ts';
import { dropSurplus, noteSurpluses } from '../ledger/surpluses.ts';
import { inParallel } from './batches.ts';
import { CostSheet } from './cost-sheet.ts';
import { type StandingPart, allSettings, readDemands, readParts } from './rebalance-parts.ts';
import { isWorthLooking } from './rebalance-need.ts';
import { readPlaces } from './rebalance-places.ts';
import { type Move, RebalancePlanner } from './rebalance-planner.ts';
import { type ReplicateOptions, replicate } from './replicate.ts';
import { storedCopies } from './stored-copies.ts';

const name = 'object-rebalancer';
/** So many pages of parts are looked at in one run, or for one plan, and so many one after another in vain. */
const pagesMax = 8_000;
const idlePagesMax = 200;

export interface RebalancerOptions extends ReplicateOptions {
  /** Backends whose filling differs by no more than this, from 0 to 1, are left as they are. */
  readonly threshold: number;
}

/** A part, and what moves of it. */
interface PlannedPart {
  readonly part: StandingPart;
  readonly moves: readonly Move[];
}

/** What is planned of one page of parts. */
interface PlannedPage {
  readonly planned: readonly PlannedPart[];
  readonly looked: number;
  /** Where the next page begins; empty after the last one. */
  readonly end: string;
}

/**
 * Moves copies to where their buckets want them: off backends that do not carry the required labels, apart where two share a
 * failure domain, and then as the bucket fills backends, one after another or all alike.
 */
export function rebalancerKeeper(options: RebalancerOptions, periodMs: number): Keeper {
  const place = new KeeperMark(options.store, name);
  return {
    name,
    summary: 'Moves copies to where their buckets want them; rests until somebody has it run.',
    periodMs,
    run: async (signal, progress) => {
      const sum = { moved: 0, failed: 0, looked: 0 };
      const { pages } = await planning(options, await place.load());
      for await (const { planned, looked, end } of pages(signal)) {
        await inParallel(planned, signal, async ({ part, moves }) => {
          for (const move of moves) {
            const isMoved = await make(options, part, move, signal).catch(() => false);
            if (isMoved) sum.moved++;
            else sum.failed++;
          }
        });
        if (signal.aborted) break;
        sum.looked += looked;
        await place.save(end === '' ? null : end);
        progress?.({ done: sum.moved, total: null, detail: `${sum.looked} copies looked at, ${sum.failed} not moved` });
      }
      return `${sum.moved} copies moved, ${sum.failed} not moved, ${sum.looked} looked at`;
    },
    plan: async (signal) => plan(options, await place.load(), signal),
  };
}

/**
 * A planner on the picture of now, and the pages of all parts from a mark on, with what it wants of each. There are none when
 * the books say that nothing can be out of place, and not many in which all is where it should be: the next run goes on.
 */
async function planning(options: RebalancerOptions, after: string | null) {
  const { store, registry, threshold, isReadBack } = options;
  const demands = await store.read(readDemands);
  const kindOf = (backend: string) => registry.get(backend)?.kind ?? '';
  const rules = { threshold, isReadBack: (backend: string) => isReadBack(kindOf(backend)) };
  const places = await readPlaces(options);
  const planner = new RebalancePlanner(places, rules);
  const isNeeded = isWorthLooking(places, allSettings(demands), threshold);
  async function* pages(signal: AbortSignal): AsyncGenerator<PlannedPage> {
    let from = after ?? '';
    let idlePages = 0;
    for (let page = 0; page < pagesMax && idlePages < idlePagesMax && isNeeded && !signal.aborted; page++) {
      const { parts, end } = await store.read((reader) => readParts(reader, from, demands));
      const planned = parts.flatMap((part) => {
        const [{ contentId, part: number, sizeBytes, storedBytes }] = part.copies as [(typeof part.copies)[0]];
        const backends = part.copies.map(({ backend }) => backend);
        const placed = { contentId, part: number, sizeBytes, storedBytes, backends, wishes: part.wishes.settings };
        const moves = planner.place(placed);
        return moves.length === 0 ? [] : [{ part, moves }];
      });
      idlePages = planned.length === 0 ? idlePages + 1 : 0;
      yield { planned, looked: parts.length, end };
      if (end === '') return;
      from = end;
      await others();
    }
  }
  return { planner, pages };
}

/** Makes a copy at the target, and lets the one at the source go once it stands. Gives whether the copy is moved. */
async function make(
  options: RebalancerOptions,
  { wishes: { bucket }, copies: [known] }: StandingPart,
  { from, to }: Move,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, clock } = options;
  const { contentId, part } = known!;
  const copies = await storedCopies(store, contentId, part);
  const source = copies.find(({ backend }) => backend === from);
  if (source === undefined) return false;
  const refusal = `${to} has no room by now.`;
  const target = { bucket, copiesWanted: copies.length + 1, candidates: [to], refusal, attempts: 0 };
  // The copy that is to go is the one that is read: what cannot be read is the replicator's to heal.
  const made = await replicate(options, [source], target, signal);
  if (made === null) return false;
  const nowMs = clock.nowMs();
  const proven = [made, ...copies.filter((copy) => copy !== source)];
  const drop = { contentId, part, backend: from, storageKey: source.storageKey, proven, reason: 'moved' } as const;
  if (await store.write(dropSurplus, { ...drop, nowMs })) return true;
  await store.write(noteSurpluses, { items: [{ contentId, part }], nowMs });
  return false;
}

async function plan(options: RebalancerOptions, after: string | null, signal: AbortSignal): Promise<KeeperPlan> {
  const { planner, pages } = await planning(options, after);
  const sheet = new CostSheet();
  let last = '';
  for await (const { planned, end } of pages(signal)) {
    const all = planned.flatMap(({ part, moves }) => moves.map((move) => ({ ...move, part })));
    for (const { part, from, to, reason } of all) {
      const [{ contentId, part: number, storedBytes }] = part.copies as [(typeof part.copies)[0]];
      const cost = planner.costOf(to, storedBytes);
      sheet.add(from, cost.source);
      sheet.add(to, cost.target);
      sheet.step(
        'move',
        `${part.wishes.bucket}: part ${number} of ${contentId} from ${from} to ${to} (${reason})`,
        storedBytes,
      );
    }
    last = end;
  }
  return sheet.plan((count, sizeBytes) => `${count} copies would move, ${sizeBytes} bytes.`, last === '');
}
