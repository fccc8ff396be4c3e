import type { SettingsKind } from '../kernel/backups/settings.ts';
import type { Values } from '../kernel/config/settings.ts';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { Log } from '../kernel/telemetry/log.ts';
import type { Metrics } from '../kernel/telemetry/metrics.ts';
import type { ObjectBackend } from './backends/backend.ts';

/** What the server gives to this feature. */
export interface ObjectPartsOptions {
  readonly values: Values;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Asks a keeper to run now, on whichever replica. */
  wake(keeper: string): void;
  /** The replica that this process is. */
  owner(): string;
  /** Whether there is somebody of this name who can be told of what happens in buckets. */
  hasNotificationTarget(name: string): Promise<boolean>;
  /** What other features want to be kept in backups of the ledger. */
  readonly settings: readonly SettingsKind[];
  readonly wrapBackend?: (name: string, backend: ObjectBackend) => ObjectBackend;
}
