import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { filledShare, readBackendBytes } from '../backends/filling.ts';
import { awayBackends } from '../ledger/outages.ts';
import { type SettleSurplus, dropSurplus, dueSurpluses, settleSurplus } from '../ledger/surpluses.ts';
import { findGoodCopy } from '../checking/find-good-copy.ts';
import { wishesOf } from '../ledger/wanted-copies.ts';
import type { SurplusRow } from '../tables.ts';
import { backoffMs, inParallel } from './batches.ts';
import { type StandingCopy, chooseSurplus } from './over-replication-order.ts';
import { CostSheet } from './cost-sheet.ts';
import { storedCopies } from './stored-copies.ts';
import type { Copy } from '../object.ts';

const batchSize = 100;
const batchesMax = 100;
const lookTimeoutMs = 30_000;
const firstWaitMs = 60_000;
const lastWaitMs = 6 * 3_600_000;

export interface OverReplicationOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
}

/** A part with more copies than are wanted, and which of them may go. */
interface Surplus {
  readonly copies: readonly (StandingCopy & Copy)[];
  readonly chosen: readonly (StandingCopy & Copy)[];
  readonly bucket: string;
  readonly wanted: number;
}

/** What is known of all backends for one run. */
interface Picture {
  readonly filled: ReadonlyMap<string, number>;
  readonly away: ReadonlySet<string>;
}

/**
 * Lets go of copies beyond what buckets want. What it works on is on record: what the replicator made while a backend was
 * away, once that is back, and what going through all copies found.
 */
export function overReplicationKeeper(options: OverReplicationOptions, periodMs: number): Keeper {
  const { store, clock } = options;
  return {
    name: 'object-over-replication',
    summary: 'Lets go of copies beyond what buckets want; never the last that can be read.',
    periodMs,
    run: async (signal, progress) => {
      const sum = { dropped: 0, kept: 0 };
      const picture = await readPicture(options);
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const rows = await store.read((reader) => dueSurpluses(reader, clock.nowMs(), batchSize));
        await inParallel(rows, signal, (row) => settle(options, row, picture, signal, sum));
        progress?.({ done: sum.dropped + sum.kept, total: null });
        if (rows.length < batchSize) break;
      }
      return `${sum.dropped} copies let go, ${sum.kept} contents left for later`;
    },
    plan: (signal) => plan(options, signal),
  };
}

async function settle(
  options: OverReplicationOptions,
  row: SurplusRow,
  picture: Picture,
  signal: AbortSignal,
  sum: { dropped: number; kept: number },
): Promise<void> {
  const { store, clock } = options;
  const { content_id: contentId, part } = row;
  const surplus = await surplusOf(options, row, picture);
  let [dropped, error] = [0, 'Too few others stand where they are safe.'];
  try {
    if (surplus !== null && surplus.chosen.length > 0) dropped = await drop(options, surplus, signal);
  } catch (failure) {
    error = String((failure as Error).message).slice(0, 500);
  }
  sum.dropped += dropped;
  let later: SettleSurplus['later'] = null;
  if (surplus !== null && surplus.copies.length - dropped > surplus.wanted) {
    // What stands on a backend that is away is looked at again when it is back.
    const waitsFor = surplus.copies.find(({ standing }) => standing === 'away')?.backend ?? '';
    const dueAtMs = clock.nowMs() + backoffMs(waitsFor === '' ? row.attempts : 0, firstWaitMs, lastWaitMs);
    later = { error, waitsFor, dueAtMs };
    sum.kept++;
  }
  await store.write(settleSurplus, { contentId, part, later });
}

/**
 * Drops what was chosen, once enough of the others were found to be there and one of them to be right, whose bytes may be
 * the last good ones. Gives how many went; throws why none may.
 */
async function drop(
  { store, registry, clock }: OverReplicationOptions,
  { copies, chosen }: Surplus,
  signal: AbortSignal,
): Promise<number> {
  const proven: Copy[] = [];
  const missing: string[] = [];
  const staying = copies.filter((one) => one.standing === 'fine' && !chosen.includes(one));
  const good = await findGoodCopy(registry, staying, signal);
  if (good === null)
    throw new HoldfastError('backend', 'None of the copies that are to stay could be read and is right.');
  for (const copy of staying) {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(lookTimeoutMs)]);
    const facts = await registry.get(copy.backend)!.backend.head(copy.storageKey, deadline);
    if (facts?.sizeBytes === copy.storedBytes) proven.push(copy);
    else missing.push(copy.backend);
  }
  if (missing.length > 0) {
    throw new HoldfastError('backend', `The copies that are to stay were not all found: ${missing.join(', ')}.`);
  }
  let dropped = 0;
  for (const { contentId, part, backend, storageKey } of chosen) {
    const params = { contentId, part, backend, storageKey, proven, reason: 'surplus', nowMs: clock.nowMs() } as const;
    if (await store.write(dropSurplus, params)) dropped++;
  }
  return dropped;
}

async function surplusOf(
  { store, registry }: OverReplicationOptions,
  { content_id: contentId, part }: SurplusRow,
  { filled, away: absent }: Picture,
): Promise<Surplus | null> {
  const wishes = await store.read((reader) => wishesOf(reader, contentId));
  if (wishes === null) return null;
  const copies = (await storedCopies(store, contentId, part)).map((copy) => {
    const known = registry.get(copy.backend);
    const { labels = {}, position = 0 } = known ?? {};
    const standing =
      known === null || absent.has(copy.backend)
        ? ('away' as const)
        : known.state === 'draining'
          ? ('draining' as const)
          : known.isOpenFor('read') && known.isOpenFor('write')
            ? ('fine' as const)
            : ('shaky' as const);
    return { ...copy, standing, labels, position, filledShare: filled.get(copy.backend) ?? 0 };
  });
  const { bucket, settings } = wishes;
  return { copies, chosen: chooseSurplus(copies, settings), bucket, wanted: settings.copies };
}

async function readPicture({ store }: OverReplicationOptions): Promise<Picture> {
  return store.read(async (reader) => ({
    filled: new Map((await readBackendBytes(reader)).map((one) => [one.name, filledShare(one)])),
    away: await awayBackends(reader),
  }));
}

/** What is due now, as far as it was found. */
async function plan(options: OverReplicationOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const { store, clock } = options;
  const rows = await store.read((reader) => dueSurpluses(reader, clock.nowMs(), planStepsMax + 1));
  const picture = await readPicture(options);
  const sheet = new CostSheet();
  for (const row of rows.slice(0, planStepsMax)) {
    if (signal.aborted) break;
    const surplus = await surplusOf(options, row, picture);
    if (surplus === null || surplus.chosen.length === 0) continue;
    const { copies, chosen, bucket } = surplus;
    const staying = copies.filter((one) => one.standing === 'fine' && !chosen.includes(one));
    for (const copy of staying) sheet.add(copy.backend, { requests: 1 });
    const [read] = staying;
    if (read !== undefined) sheet.add(read.backend, { requests: 1, egressBytes: read.storedBytes });
    for (const { contentId, part, backend, storedBytes } of chosen) {
      sheet.add(backend, { requests: 1 });
      sheet.step('drop', `${bucket}: part ${part} of ${contentId} on ${backend}`, storedBytes);
    }
  }
  const isExact = rows.length <= planStepsMax && !signal.aborted;
  return sheet.plan((count) => `${count} copies are beyond what their buckets want.`, isExact);
}
