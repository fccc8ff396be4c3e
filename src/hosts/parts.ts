import type { Route } from '../kernel/http/server.ts';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Keeper } from '../kernel/keepers/keeper.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import { HostCommands } from './commands.ts';
import { hostTimes } from './host.ts';
import { hostWatcher } from './keepers/watcher.ts';
import { hostRoutes } from './routes.ts';
import { HostService, type HostServiceOptions } from './service.ts';

export interface HostPartsOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly deadAfterMs: number;
  /** How long a command may wait for its host and be at work there. */
  readonly commandTimeoutMs: number;
  readonly wanted: HostServiceOptions['wanted'];
}

/** This feature as the server takes it in. */
export interface HostParts {
  readonly service: HostService;
  readonly commands: HostCommands;
  readonly keepers: readonly Keeper[];
  readonly routes: readonly Route[];
}

export function createHostParts(options: HostPartsOptions): HostParts {
  const { store, sealer, clock, newId, wanted, commandTimeoutMs: timeoutMs } = options;
  const times = hostTimes(options.deadAfterMs);
  const service = new HostService({ store, sealer, clock, newId, times, wanted });
  const commands = new HostCommands({ store, sealer, times, timeoutMs });
  return { service, commands, keepers: [hostWatcher(store, clock, times)], routes: hostRoutes(service, commands) };
}
