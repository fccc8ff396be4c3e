import { type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import { CostSheet } from '../keepers/cost-sheet.ts';
import { readPlannedRoom } from '../keepers/planned-room.ts';
import type { Copy } from '../object.ts';
import { nextTwins, twinPlaces } from './drop-twins.ts';
import type { MigratorOptions } from './migrator.ts';
import { type StandingCopy, openMigration, standingCopies } from './queries.ts';
import type { StorageMigration } from './storage-migration.ts';

const limit = planStepsMax + 1;

/** What the migration under way does next: copies that move to the target, or those that go since their twins stay. */
export async function planMigration(options: MigratorOptions): Promise<KeeperPlan> {
  const migration = await options.store.read(openMigration);
  if (migration === null) return new CostSheet().plan(() => 'No migration is under way.', true);
  return migration.state === 'copying' ? planCopying(options, migration) : planCleaning(options, migration);
}

async function planCopying(options: MigratorOptions, migration: StorageMigration): Promise<KeeperPlan> {
  const { store, registry } = options;
  const { source, target, isReadBack } = migration;
  const copies = await firstDue(options, migration);
  const room = await readPlannedRoom(store, registry);
  const sheet = new CostSheet();
  for (const copy of copies.slice(0, planStepsMax)) {
    const { contentId, part, storedBytes } = copy;
    if (room.take([target], copy) === null) {
      sheet.warn(`${target} has no room for a copy, or takes no writes.`);
      continue;
    }
    // After the switch it is deleted on the source.
    sheet.add(source, { requests: 2, egressBytes: storedBytes });
    sheet.add(target, { requests: 1, ingressBytes: storedBytes });
    if (isReadBack) sheet.add(target, { requests: 1, egressBytes: storedBytes });
    sheet.step('copy', `part ${part} of ${contentId} from ${source} to ${target}`, storedBytes);
  }
  const isExact = copies.length <= planStepsMax;
  return sheet.plan((count, bytes) => `${count} copies move from ${source} to ${target}, ${bytes} bytes.`, isExact);
}

async function firstDue({ store, clock }: MigratorOptions, migration: StorageMigration): Promise<Copy[]> {
  const due: Copy[] = [];
  for (let after: string | null = ''; after !== null && due.length < limit;) {
    const page = { after, nowMs: clock.nowMs(), limit };
    const copies: StandingCopy[] = await store.read((reader) => standingCopies(reader, migration, page));
    for (const { copy, isDue } of copies) if (isDue && due.length < limit) due.push(copy);
    after = copies.length < limit ? null : copies.at(-1)!.copy.storageKey;
  }
  return due;
}

async function planCleaning({ store }: MigratorOptions, migration: StorageMigration): Promise<KeeperPlan> {
  const places = twinPlaces(migration);
  const rows = await store.read((reader) => nextTwins(reader, { ...places, after: '', limit }));
  const sheet = new CostSheet();
  for (const { content_id: contentId, part, stored_bytes: storedBytes } of rows.slice(0, planStepsMax)) {
    sheet.add(places.backend, { requests: 1 });
    sheet.step('drop', `part ${part} of ${contentId} on ${places.backend}`, storedBytes);
  }
  const say = (count: string) => `${count} copies with a twin on ${places.twin} would be let go on ${places.backend}.`;
  return sheet.plan(say, rows.length <= planStepsMax);
}
