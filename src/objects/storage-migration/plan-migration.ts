import { type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import { CostSheet } from '../keepers/cost-sheet.ts';
import { readPlannedRoom } from '../keepers/planned-room.ts';
import { nextTwins, twinPlaces } from './drop-twins.ts';
import type { MigratorOptions } from './migrator.ts';
import { openMigration, unmovedCopies } from './queries.ts';
import type { StorageMigration } from './storage-migration.ts';

const limit = planStepsMax + 1;

/** What the migration under way does next: copies that move to the target, or those that go since their twins stay. */
export async function planMigration(options: MigratorOptions): Promise<KeeperPlan> {
  const migration = await options.store.read(openMigration);
  if (migration === null) return new CostSheet().plan(() => 'No migration is under way.', true);
  return migration.state === 'copying' ? planCopying(options, migration) : planCleaning(options, migration);
}

async function planCopying(
  { store, registry, clock }: MigratorOptions,
  migration: StorageMigration,
): Promise<KeeperPlan> {
  const { source, target, isReadBack } = migration;
  const page = { after: '', nowMs: clock.nowMs(), limit };
  const copies = await store.read((reader) => unmovedCopies(reader, migration, page));
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
