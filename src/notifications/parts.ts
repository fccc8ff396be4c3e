import type { SettingsKind } from '../kernel/backups/settings.ts';
import type { NoticeSource } from '../kernel/events/notice.ts';
import type { HealthCheck } from '../kernel/http/health.ts';
import type { Route } from '../kernel/http/server.ts';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { Log } from '../kernel/telemetry/log.ts';
import type { Metrics } from '../kernel/telemetry/metrics.ts';
import type { RetryPolicy } from './delivering/backoff.ts';
import { Deliverer } from './delivering/deliverer.ts';
import { Dispatcher } from './dispatching/dispatcher.ts';
import { cursorOf } from './queries.ts';
import { notificationRoutes } from './routes.ts';
import { openSender } from './senders/open.ts';
import { NotificationService } from './service.ts';
import { Standing } from './standing.ts';
import type { OpenTarget } from './target.ts';
import { targetSettings } from './target-settings.ts';

export interface NotificationPartsOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly retry: RetryPolicy;
  /** Features with settings of their own for who is told what. */
  readonly sources: readonly NoticeSource[];
  /** The replica that this process is. */
  owner(): string;
}

/** This feature as the server takes it in. */
export interface NotificationParts {
  readonly routes: readonly Route[];
  readonly checks: readonly HealthCheck[];
  /** What of it is backed up. */
  readonly settings: SettingsKind;
  /** Whether there is a target of this name. */
  hasTarget(name: string): Promise<boolean>;
  /** The id of the last event that is not needed any more for notifications. */
  passedEventId(): Promise<number>;
  start(): void;
  stop(): Promise<void>;
}

/** Puts notifications together; nothing is read and delivered yet. */
export function createNotificationParts(options: NotificationPartsOptions): NotificationParts {
  const { store, sealer, clock, newId, log, metrics, retry, sources, owner } = options;
  const onError = (error: unknown, about: string) => log.warn({ err: error }, about);
  const open = (target: OpenTarget) => openSender(target, clock);
  const service = new NotificationService({ store, sealer, clock, newId, openSender: open });
  const dispatcher = new Dispatcher({ store, clock, sources, owner, onError });
  const onAttempt = (target: string, outcome: string, seconds: number) =>
    metrics.onBackendCall(`notification:${target}`, 'deliver', outcome === 'delivered' ? 'ok' : outcome, seconds);
  const deliverer = new Deliverer({ store, sealer, clock, retry, owner, openSender: open, onAttempt, onError });
  const standing = new Standing(store, onError);
  standing.measure(metrics);
  return {
    routes: notificationRoutes(service),
    checks: [{ name: 'notifications', isVital: false, check: () => standing.check() }],
    settings: targetSettings(sealer),
    hasTarget: (name) => service.has(name),
    passedEventId: () => store.read(cursorOf),
    start() {
      dispatcher.start();
      deliverer.start();
      standing.start();
    },
    async stop() {
      standing.stop();
      await Promise.all([dispatcher.stop(), deliverer.stop()]);
    },
  };
}
