import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { KeeperPlan } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { BackendService, NewBackend } from '../backends/management/service.ts';
import { failureOf } from '../backends/management/probe.ts';
import type { ManagedRegistry } from '../backends/store-registry.ts';
import { beginMigration, underWay } from './begin.ts';
import { cancelMigration } from './end.ts';
import { retryMoves } from './moves.ts';
import { countFailures, latestMigration, openMigration, standingOn } from './queries.ts';
import type { StorageMigration } from './storage-migration.ts';

export interface MigrationServiceOptions {
  readonly store: Store;
  readonly registry: ManagedRegistry;
  readonly backends: BackendService;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** Wakes the migrator, on whichever replica it runs. */
  wake(): void;
}

/** To a backend that is known, or to a new one. */
export interface MigrationWish {
  /** `null`: the only other active one. */
  readonly source: string | null;
  readonly target: string | Pick<NewBackend, 'name' | 'kind' | 'config' | 'secrets'>;
  readonly parallel: number;
  readonly isReadBack: boolean;
}

/** A migration with what is known beside its row. */
export interface MigrationStatus {
  readonly migration: StorageMigration | null;
  readonly failures: number;
}

/** The use cases of storage migrations. */
export class MigrationService {
  readonly #options: MigrationServiceOptions;

  constructor(options: MigrationServiceOptions) {
    this.#options = options;
  }

  /**
   * Adds the target if it is new, writes to it and reads it back, and begins. Throws `not_found`, `invalid`, `conflict`, and
   * what the test of the target found; nothing has begun then.
   */
  async begin(wish: MigrationWish, actor: string): Promise<StorageMigration> {
    const { store, registry, clock, newId, wake } = this.#options;
    const { parallel, isReadBack } = wish;
    const source = this.#sourceOf(wish);
    const running = await store.read(openMigration);
    if (running !== null) throw underWay(running);
    const target = await this.#prepare(source, wish.target, actor);
    const identity = { id: newId('mig'), source, target, parallel, isReadBack };
    let migration: StorageMigration;
    try {
      migration = await store.write(beginMigration, { ...identity, actor, nowMs: clock.nowMs() });
    } catch (error) {
      // A target that was added for it must not stay, and take writes, without it.
      if (typeof wish.target !== 'string') await this.#options.backends.remove(target, actor);
      throw error;
    }
    await registry.refresh();
    wake();
    return migration;
  }

  /** What a migration would move and cost; nothing is changed, and a new target is not even looked at. */
  async plan(wish: MigrationWish): Promise<KeeperPlan> {
    const { store } = this.#options;
    const source = this.#sourceOf(wish);
    const place = typeof wish.target === 'string' ? wish.target : wish.target.name;
    const { copies, bytes } = await store.read((reader) => standingOn(reader, source));
    const freeBytes = await this.#freeBytes(place);
    const isTight = freeBytes !== null && freeBytes < bytes;
    const readBack = wish.isReadBack ? { requests: copies, egressBytes: bytes } : { requests: 0, egressBytes: 0 };
    return {
      summary: `${copies} copies with ${bytes} bytes move from ${source} to ${place}.${isTight ? ` It has room for ${freeBytes} bytes only.` : ''}`,
      steps: [],
      count: copies,
      isExact: true,
      sizeBytes: bytes,
      costs: [
        // Each is read once and, after the switch, deleted.
        { place: source, requests: 2 * copies, ingressBytes: 0, egressBytes: bytes },
        { place, requests: copies + readBack.requests, ingressBytes: bytes, egressBytes: readBack.egressBytes },
      ],
    };
  }

  /** The one under way, or the last one. */
  async status(): Promise<MigrationStatus> {
    return this.#options.store.read(async (reader) => ({
      migration: await latestMigration(reader),
      failures: await countFailures(reader),
    }));
  }

  /** Throws `not_found` without one, `conflict` when it is switched already. */
  async cancel(actor: string): Promise<StorageMigration> {
    const { store, registry, clock, wake } = this.#options;
    const migration = await store.write(cancelMigration, { actor, nowMs: clock.nowMs() });
    await registry.refresh();
    wake();
    return migration;
  }

  /** Has what failed tried again at once. Gives how many. */
  async retry(): Promise<number> {
    const { store, clock, wake } = this.#options;
    const count = await store.write(retryMoves, { nowMs: clock.nowMs() });
    wake();
    return count;
  }

  #sourceOf({ source, target }: MigrationWish): string {
    const to = typeof target === 'string' ? target : target.name;
    if (source !== null) {
      if (source === to) throw new HoldfastError('invalid', 'A migration needs two backends.', { field: 'source' });
      return source;
    }
    const others = this.#options.registry.all.filter(({ name, state }) => name !== to && state === 'active');
    if (others.length === 1) return others[0]!.name;
    const message = `There are ${others.length} other active backends; say which one everything moves away from.`;
    throw new HoldfastError('invalid', message, { field: 'source' });
  }

  /** What the quota of a backend leaves; `null` without one. */
  async #freeBytes(name: string): Promise<number | null> {
    const quotaBytes = this.#options.registry.get(name)?.quotaBytes ?? null;
    if (quotaBytes === null) return null;
    const { copies: _, bytes } = await this.#options.store.read((reader) => standingOn(reader, name));
    return Math.max(0, quotaBytes - bytes);
  }

  /** A target that works: bytes were written, read back and deleted there. A new one has the source's labels and place. */
  async #prepare(source: string, target: MigrationWish['target'], actor: string): Promise<string> {
    const { registry, backends } = this.#options;
    const from = registry.get(source);
    if (from === null) throw new HoldfastError('not_found', `There is no backend ${source.slice(0, 100)}.`);
    if (typeof target !== 'string') {
      const { labels, position } = from;
      await backends.add({ ...target, labels, position, isTestSkipped: false }, actor);
      return target.name;
    }
    const failure = failureOf(await backends.test(target), target, 'Nothing was begun.');
    if (failure !== null) throw failure;
    return target;
  }
}
