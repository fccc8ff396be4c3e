import type { StoreEngine } from '../../test/support/stores.ts';
import { appendEvent } from '../kernel/events/event.ts';
import type { NoticeSource } from '../kernel/events/notice.ts';
import { createIdSource } from '../kernel/ids.ts';
import { registerReplica, releaseReplica } from '../kernel/operations/ownership.ts';
import { createSealer } from '../kernel/secrets/sealer.ts';
import { toSecretKey } from '../kernel/secrets/secret-key.ts';
import { openStore } from '../kernel/store/open.ts';
import type { Store } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';
import { kernelMigrations } from '../kernel/store/migrations/kernel-migrations.ts';
import { Deliverer } from './delivering/deliverer.ts';
import { Dispatcher } from './dispatching/dispatcher.ts';
import { notificationsMigration } from './migrations/0012_notifications.ts';
import { openSender } from './senders/open.ts';
import { NotificationService } from './service.ts';
import type { DeliveryRow } from './tables.ts';

export interface TestHappening {
  readonly resource: string;
  readonly type: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Lets something happen to each of these resources, in one transaction. */
export const letHappen = transaction(
  import.meta.url,
  'letHappen',
  async (tx, { happenings }: { readonly happenings: readonly TestHappening[] }): Promise<void> => {
    for (const { resource } of happenings.toSorted((one, other) => (one.resource < other.resource ? -1 : 1))) {
      await tx.lock(resource);
    }
    for (const { resource, type, data = {} } of happenings) {
      const createdAtMs = Date.now();
      await appendEvent(tx, { resource, type, data, operationId: null, actor: 'test', createdAtMs });
    }
  },
);

/** Sets how much a target's counts say that waits, as after very much has happened. */
export const pretendWaiting = transaction(
  import.meta.url,
  'pretendWaiting',
  async (tx, { name, waiting }: { readonly name: string; readonly waiting: number }): Promise<void> => {
    await tx.run('update notification_targets set waiting = ? where name = ?', [waiting, name]);
  },
);

/** One process that takes part, and what it told of errors. */
export interface TestReplica {
  readonly store: Store;
  readonly id: string;
  readonly dispatcher: Dispatcher;
  readonly deliverer: Deliverer;
  /** Ends it as `kill -9` would, in the store's eyes: what it holds it goes on holding, and it does nothing more. */
  die(): Promise<void>;
  stop(): Promise<void>;
}

export interface NotificationStage extends AsyncDisposable {
  readonly store: Store;
  readonly service: NotificationService;
  readonly errors: string[];
  readonly databaseUrl: string | undefined;
  /** Another process on the same store; nothing of it has started. */
  replica(sources?: readonly NoticeSource[]): Promise<TestReplica>;
  happen(...happenings: readonly TestHappening[]): Promise<void>;
  deliveries(): Promise<readonly DeliveryRow[]>;
  /** Adds a webhook that is told of everything. */
  addHook(
    name: string,
    url: string,
    more?: { readonly parallel?: number; readonly timeoutMs?: number },
  ): Promise<string>;
}

/** The retries of tests: quick, and few. */
const retry = { firstWaitMs: 20, attemptsMax: 4 };

export async function openStage(engine: StoreEngine): Promise<NotificationStage> {
  const settings = await engine.fresh([...kernelMigrations, notificationsMigration]);
  const first = await openStore(settings, { owner: true });
  const sealer = createSealer(toSecretKey(Buffer.alloc(32, 3), 'test'));
  const clock = { nowMs: () => Date.now() };
  const newId = createIdSource();
  const errors: string[] = [];
  const ends: (() => Promise<void>)[] = [];
  const onError = (error: unknown, about: string) => void errors.push(`${about}: ${String(error)}`);
  const open = (target: Parameters<typeof openSender>[0]) => openSender(target, clock);
  const service = new NotificationService({ store: first, sealer, clock, newId, openSender: open });

  async function replica(sources: readonly NoticeSource[] = []): Promise<TestReplica> {
    const store = engine.server === null ? first : await openStore(settings, { owner: true });
    const id = newId('rep');
    await store.write(registerReplica, { id, ttlMs: 600_000, detail: 'test', nowMs: Date.now() });
    const shared = { store, clock, owner: () => id, onError };
    const dispatcher = new Dispatcher({ ...shared, sources });
    const deliverer = new Deliverer({ ...shared, sealer, retry, openSender: open, onAttempt: () => {} });
    const stop = async () => {
      await dispatcher.stop();
      await deliverer.stop();
    };
    ends.push(async () => {
      await stop();
      if (store !== first) await store.close();
    });
    return { store, id, dispatcher, deliverer, stop, die: () => first.write(releaseReplica, { id }) };
  }

  return {
    store: first,
    service,
    errors,
    databaseUrl: settings.databaseUrl,
    replica,
    happen: (...happenings) => first.write(letHappen, { happenings }),
    deliveries: () =>
      first.read((reader) => reader.rows<DeliveryRow>('select * from notification_deliveries order by id', [])),
    async addHook(name, url, more = {}) {
      const { secret } = await service.add(name, 'webhook', { url, ...more }, 'test');
      await service.subscribe({ name: `all-${name}`, target: name, types: ['thing.*'], resources: [] }, 'test');
      return secret!;
    },
    async [Symbol.asyncDispose]() {
      for (const end of ends.toReversed()) await end();
      await first.close();
    },
  };
}
