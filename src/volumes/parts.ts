import type { Values } from '../kernel/config/settings.ts';
import type { EventFollower } from '../kernel/events/follower.ts';
import type { Route } from '../kernel/http/server.ts';
import type { SseStreams } from '../kernel/http/sse.ts';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Keeper } from '../kernel/keepers/keeper.ts';
import type { Engine } from '../kernel/operations/engine.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { BackendRegistry } from './backends/registry.ts';
import { deviceRoutes } from './device-routes.ts';
import { DeviceBook } from './devices/book.ts';
import { exportRoutes } from './export-routes.ts';
import { ExportWishes } from './export-wishes.ts';
import { ExportRunner } from './exports/runner.ts';
import { forceSyncKind } from './force-sync.ts';
import type { Hosts } from './hosts.ts';
import { exportKeeper, keepExports } from './keepers/exports.ts';
import { reconcileVolumes, volumeReconciler } from './keepers/reconciler.ts';
import { trashKeeper } from './keepers/trash.ts';
import { registerVolumeOperations } from './operations/kinds.ts';
import { volumeRoutes } from './routes.ts';
import { VolumeService } from './service.ts';

/** What the server gives to this feature. */
export interface VolumePartsOptions {
  readonly values: Values;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** Not started yet: the operations of volumes are made known to it. */
  readonly engine: Engine;
  readonly backends: BackendRegistry;
  readonly hosts: Hosts;
  /** The name of this server as a host. */
  readonly localHost: string;
}

/** This feature as the server takes it in. */
export interface VolumeParts {
  readonly service: VolumeService;
  readonly keepers: readonly Keeper[];
  routes(faces: { readonly follower: EventFollower; readonly streams: SseStreams }): readonly Route[];
}

const exportPeriodMs = 30_000;
/** For a comparison of everything, however seldom or often the keepers make theirs. */
const syncTimeoutMs = 300_000;

/** Puts volumes together; nothing runs yet. */
export function createVolumeParts(options: VolumePartsOptions): VolumeParts {
  const { values, store, sealer, clock, newId, engine, backends, hosts, localHost } = options;
  const { backendTimeoutMs: timeoutMs, healthTimeoutMs } = values;
  const book = new DeviceBook(store, hosts);
  const service = new VolumeService({
    store,
    engine,
    newId,
    backends,
    exports: new ExportWishes({ store, hosts, backends, sealer, newId, localHost, lookTimeoutMs: timeoutMs }),
    trashRetentionMs: values.volumeTrashRetentionMs,
    lookTimeoutMs: timeoutMs,
  });
  registerOperations(options);
  const { reconcileIntervalMs: periodMs, reconcileDbOnly: dbOnly, reconcileBackendOnly: backendOnly } = values;
  const reconciling = { store, backends, service, clock, periodMs, timeoutMs, dbOnly, backendOnly };
  const exporting = { store, hosts, service, clock, periodMs: exportPeriodMs, timeoutMs };
  engine.register(
    forceSyncKind({
      hosts,
      book,
      compareBackends: (signal, onDifference) => reconcileVolumes(reconciling, signal, onDifference),
      compareExports: (signal, onDifference) => keepExports(exporting, signal, onDifference),
      timeoutMs: syncTimeoutMs,
    }),
  );
  return {
    service,
    keepers: [volumeReconciler(reconciling), trashKeeper(store, engine, clock), exportKeeper(exporting)],
    routes: ({ follower, streams }) => [
      ...exportRoutes({ service, store, sealer }),
      ...deviceRoutes({ store, service, book, localHost }),
      ...volumeRoutes({ service, store, book, backends, follower, streams, healthTimeoutMs }),
    ],
  };
}

function registerOperations({ values, store, sealer, engine, backends, hosts }: VolumePartsOptions): void {
  const backend = (name: string) => backends.get(name);
  registerVolumeOperations(engine, {
    backend,
    hosts,
    exports: new ExportRunner({ store, sealer, hosts, backend }),
    timeoutMs: values.backendTimeoutMs,
    policy: {
      attemptsMax: values.volumeRetryMaxAttempts,
      initialWaitMs: values.volumeRetryInitialWaitMs,
      multiplier: values.volumeRetryMultiplier,
      waitMaxMs: values.volumeRetryMaxWaitMs,
    },
  });
}
