import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Keeper, ReportProgress } from '../../kernel/keepers/keeper.ts';
import type { LentBuffers } from '../content/lent-buffers.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { Leftovers } from '../writing/leftovers.ts';
import { copyRound } from './copy-round.ts';
import { dropTwins, twinPlaces } from './drop-twins.ts';
import { finishMigration, switchMigration } from './end.ts';
import { planMigration } from './plan-migration.ts';
import { countFailures, openMigration } from './queries.ts';
import type { StorageMigration } from './storage-migration.ts';

export interface MigratorOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly leftovers: Leftovers;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly memory: LentBuffers;
  owner(): string;
  /** Before a copy that failed is tried again; it doubles each time. */
  readonly retryWaitMs: number;
}

export const migratorName = 'object-migrator';
/** So many copies are let go in one commit. */
const dropsMax = 200;
/** So many times in one run everything is gone through; what comes up in the last round waits for the next run. */
const roundsMax = 100;

/** Carries a storage migration on, whichever replica began it; a restart goes on where the ledger says it is. */
export function storageMigrator(options: MigratorOptions, periodMs: number): Keeper {
  const { store } = options;
  return {
    name: migratorName,
    summary: 'Moves everything from one backend to another while it is used, and switches when all of it is there.',
    periodMs,
    run: async (signal, progress = () => {}) => {
      const migration = await store.read(openMigration);
      if (migration === null) return 'no migration is under way';
      if (migration.state === 'copying') return copy(options, migration, signal, progress);
      return clean(options, migration, signal);
    },
    plan: () => planMigration(options),
  };
}

async function copy(
  options: MigratorOptions,
  migration: StorageMigration,
  signal: AbortSignal,
  progress: ReportProgress,
): Promise<string> {
  const { store, clock } = options;
  const { id, source, target, totalCopies } = migration;
  let moved = 0;
  const onMoved = (count: number) => {
    moved += count;
    progress({ done: migration.movedCopies + moved, total: totalCopies, detail: `${source} to ${target}` });
  };
  for (let round = 0; round < roundsMax && !signal.aborted; round++) {
    const before = moved;
    await copyRound(options, migration, signal, onMoved);
    if (signal.aborted) break;
    const waitsFor = await store.write(switchMigration, { id, actor: migratorName, nowMs: clock.nowMs() });
    if (waitsFor === null) {
      await options.registry.refresh();
      const now = await store.read(openMigration);
      return now?.id === id && now.state !== 'copying' ? clean(options, now, signal) : 'the migration was ended';
    }
    if (moved === before) break;
  }
  const failures = await store.read(countFailures);
  if (failures > 0) throw new HoldfastError('backend', `${moved} copies moved; ${failures} could not be moved yet.`);
  return `${moved} copies moved`;
}

/** Lets go of what has a twin that stays: on the source when it is switched, on the target when it is cancelled. */
async function clean(options: MigratorOptions, migration: StorageMigration, signal: AbortSignal): Promise<string> {
  const { store, clock } = options;
  const { id } = migration;
  const places = twinPlaces(migration);
  let dropped = 0;
  for (let after: string | null = ''; after !== null && !signal.aborted;) {
    const page = { ...places, after, limit: dropsMax, nowMs: clock.nowMs() };
    const done: { next: string | null; dropped: number } = await store.write(dropTwins, page);
    dropped += done.dropped;
    after = done.next;
  }
  const isEnded =
    !signal.aborted && (await store.write(finishMigration, { id, actor: migratorName, nowMs: clock.nowMs() }));
  return `${dropped} copies let go on ${places.backend}${isEnded ? '; the migration has ended' : ''}`;
}
