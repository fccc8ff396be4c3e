import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { BodyOf } from '../../kernel/http/contract.ts';
import { decodeCursor, page } from '../../kernel/http/cursor.ts';
import { type Route, route } from '../../kernel/http/server.ts';
import { planView } from '../../kernel/keepers/view.ts';
import type { Store } from '../../kernel/store/store.ts';
import { withWarnings } from '../quotas/forecast.ts';
import { storageMigrationContract } from './contract.ts';
import { migrationFailures } from './queries.ts';
import type { MigrationService, MigrationWish } from './service.ts';
import { failureView, migrationView } from './view.ts';
import type { BackendService } from '../backends/management/service.ts';
import type { ManagedRegistry } from '../backends/store-registry.ts';
import type { ShowBackend } from '../backends/routes.ts';
import type { Clock } from '../../kernel/ids.ts';

const defaultLimit = 100;

export interface StorageMigrationRouteOptions {
  readonly service: MigrationService;
  readonly backends: BackendService;
  readonly registry: ManagedRegistry;
  readonly store: Store;
  readonly clock: Clock;
  readonly shown: ShowBackend;
}

/** The API of storage migrations. */
export function storageMigrationRoutes(options: StorageMigrationRouteOptions): Route[] {
  const { service, backends, registry, store, clock, shown } = options;
  const view = async () => {
    const { migration, failures } = await service.status();
    return migration && migrationView(migration, failures, clock.nowMs());
  };
  return [
    route(storageMigrationContract.migrate, async ({ body, caller }) => {
      const wish = wishOf(body, registry);
      if (body.dry_run === true) {
        return { migration: null, plan: planView(await withWarnings(await service.plan(wish), store, clock)) };
      }
      return { migration: migrationView(await service.begin(wish, caller.name), 0, clock.nowMs()), plan: null };
    }),
    route(storageMigrationContract.migrationStatus, async () => ({ migration: await view() })),
    route(storageMigrationContract.migrationFailures, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const [contentId, part] = decodeCursor(query.cursor)?.split(':') ?? [];
      const after = contentId === undefined ? null : { contentId, part: Number(part) };
      const rows = await store.read((reader) => migrationFailures(reader, { after, limit: limit + 1 }));
      return page(rows, limit, (row) => `${row.contentId}:${row.part}`, failureView);
    }),
    route(storageMigrationContract.retryMigration, async () => ({ retried: await service.retry() })),
    route(storageMigrationContract.cancelMigration, async ({ caller }) => ({
      migration: migrationView(await service.cancel(caller.name), 0, clock.nowMs()),
    })),
    route(storageMigrationContract.changeBackendConfig, async ({ body, caller }) => {
      const { backend = onlyOne(registry), config, secrets } = body;
      return shown(
        await backends.change(backend, { config, secrets, isTestSkipped: false, isForced: false }, caller.name),
      );
    }),
  ];
}

function wishOf(body: BodyOf<typeof storageMigrationContract.migrate>, registry: ManagedRegistry): MigrationWish {
  const { source = null, target, driver, config, secrets, parallel = 8, read_back: isReadBack = true } = body;
  if ((target === undefined) === (driver === undefined)) {
    const message =
      'Say where to: either "target", a backend that is known, or "driver" with the "config" of a new one.';
    throw new HoldfastError('invalid', message, { field: 'target' });
  }
  const limits = { source, parallel, isReadBack };
  if (driver === undefined) return { ...limits, target: target! };
  const name = body.name ?? freeName(driver, registry);
  return { ...limits, target: { name, kind: driver, config: config ?? {}, secrets: secrets ?? {} } };
}

function freeName(kind: string, registry: ManagedRegistry): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? kind : `${kind}-${number}`;
    if (registry.get(name) === null) return name;
  }
}

function onlyOne({ all }: ManagedRegistry): string {
  if (all.length === 1) return all[0]!.name;
  throw new HoldfastError('invalid', `There are ${all.length} backends; say which one.`, { field: 'backend' });
}
