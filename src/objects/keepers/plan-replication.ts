import { type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { BucketSettings } from '../bucket.ts';
import { type ContentWishes, wishesOf } from '../ledger/wanted-copies.ts';
import type { Copy } from '../object.ts';
import { CostSheet } from './cost-sheet.ts';
import { FailedTargets, failuresOf } from './failed-targets.ts';
import type { OwedFinder } from './find-owed.ts';
import { ForeseenQueue, type OwedPart } from './foreseen-queue.ts';
import { whyNowhere } from './nowhere.ts';
import type { OutageWatch } from './outage-watch.ts';
import { type PlannedRoom, readPlannedRoom } from './planned-room.ts';
import { chooseSource, isReadable, nextStep } from './replicate-step.ts';
import type { ReplicatorOptions } from './replicator.ts';
import { storedCopies } from './stored-copies.ts';

/** What a run goes by. */
export interface ReplicatorParts {
  readonly owed: OwedFinder;
  readonly watch: OutageWatch;
  readonly batchSize: number;
  readonly batchesMax: number;
}

interface Draft {
  readonly options: ReplicatorOptions;
  readonly away: ReadonlySet<string>;
  readonly room: PlannedRoom;
  readonly targets: FailedTargets;
  readonly sheet: CostSheet;
}

/**
 * What a run would do now, with everything going well: which copies it makes, from where and on which backend, and which it
 * lets go. What finds no room, or nothing to be read from, is told as a warning; the run tries it and leaves it for later.
 */
export async function planReplication(
  options: ReplicatorOptions,
  { owed, watch, batchSize, batchesMax }: ReplicatorParts,
  signal: AbortSignal,
): Promise<KeeperPlan> {
  const { store, clock, registry } = options;
  const outages = await watch.foresee(signal);
  const queue = new ForeseenQueue(store, clock, outages);
  await queue.begin(owed, planStepsMax, signal);
  const room = await readPlannedRoom(store, registry);
  const draft: Draft = { options, away: outages.away, room, targets: new FailedTargets(), sheet: new CostSheet() };
  let contents = 0;
  let isWhole = true;
  for (let batch = 0; batch < batchesMax; batch++) {
    const parts = await queue.next(batchSize);
    for (const part of parts) {
      signal.throwIfAborted();
      await addPart(draft, part);
    }
    contents += parts.length;
    if (parts.length < batchSize) break;
    isWhole = contents < planStepsMax && draft.sheet.count < planStepsMax;
    if (!isWhole) break;
  }
  for (const name of outages.away) draft.sheet.warn(`${name} is away, so that its copies count as missing.`);
  return draft.sheet.plan(
    (count, sizeBytes) => `${count} copies would be made or let go, ${sizeBytes} bytes.`,
    isWhole && queue.isWhole,
  );
}

async function addPart(draft: Draft, row: OwedPart): Promise<void> {
  const { options, away } = draft;
  const { store, registry } = options;
  const { content_id: contentId, part } = row;
  const wishes = await store.read((reader) => wishesOf(reader, contentId));
  if (wishes === null) return;
  let copies: readonly Copy[] = await storedCopies(store, contentId, part);
  for (let made = 0; ; made++) {
    const step = nextStep({ registry, away }, copies, wishes, made);
    if (step.kind === 'none') return;
    if (step.kind === 'drop') return addDrops(draft, wishes, step, made);
    const more = await addCopy(draft, row, copies, wishes, wishes.settings);
    if (more === null) {
      const isElsewhere = step.isShort && wishes.bucketSettings !== wishes.settings;
      if (isElsewhere) await addCopy(draft, row, copies, wishes, wishes.bucketSettings);
      return;
    }
    copies = more;
  }
}

/** Gives the copies with the one that would be made; `null` when none can be. */
async function addCopy(
  { options, away, room, targets, sheet }: Draft,
  row: OwedPart,
  copies: readonly Copy[],
  { bucket }: ContentWishes,
  settings: BucketSettings,
): Promise<readonly Copy[] | null> {
  const { registry, capacity, isReadBack } = options;
  const source = chooseSource({ registry, away }, copies, row.attempts);
  if (source === null || !isReadable(registry.get(source.backend)) || away.has(source.backend)) {
    sheet.warn('No copy of a part can be read now.');
    return null;
  }
  const { sizeBytes, storedBytes } = source;
  const holders = copies.map(({ backend }) => backend);
  const ranked = await capacity.rank(settings, storedBytes, holders, room.planned);
  const target = room.take(targets.order(ranked, failuresOf(row)), { sizeBytes, storedBytes });
  if (target === null) {
    sheet.warn(whyNowhere(registry.all, holders, settings, { sizeBytes, storedBytes }));
    return null;
  }
  const readBack = isReadBack(registry.get(target)!.kind);
  sheet.add(source.backend, { requests: 1, egressBytes: storedBytes });
  sheet.add(target, {
    requests: readBack ? 2 : 1,
    ingressBytes: storedBytes,
    egressBytes: readBack ? storedBytes : 0,
  });
  const subject = `${bucket}: part ${source.part} of ${source.contentId} from ${source.backend} to ${target}`;
  sheet.step('copy', subject, storedBytes);
  const made = { ...source, backend: target };
  return [...copies, made].toSorted((one, other) => (one.backend < other.backend ? -1 : 1));
}

/** What is not to stay goes once one that is to stay was read; one that was just made has been. */
function addDrops(
  { options: { registry }, sheet }: Draft,
  { bucket }: ContentWishes,
  { staying, leaving }: { readonly staying: readonly Copy[]; readonly leaving: readonly Copy[] },
  made: number,
): void {
  if (leaving.length > 0 && made === 0) {
    const read = staying.find(({ backend }) => isReadable(registry.get(backend)));
    if (read === undefined) return sheet.warn('None of the copies that are to stay can be read now.');
    sheet.add(read.backend, { requests: 1, egressBytes: read.storedBytes });
  }
  for (const { contentId, part, backend, storedBytes } of leaving) {
    sheet.add(backend, { requests: 1 });
    sheet.step('drop', `${bucket}: part ${part} of ${contentId} on ${backend}`, storedBytes);
  }
}
