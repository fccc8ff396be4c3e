import type { Static } from 'typebox';
import { decodeCursor, page } from '../kernel/http/cursor.ts';
import { type Route, route } from '../kernel/http/server.ts';
import { isoTime } from '../kernel/operations/view.ts';
import { type deadLetterSchema, notificationContract as contract, type targetSchema } from './contract.ts';
import type { GrantedTarget, NotificationService } from './service.ts';
import type { Subscription } from './subscription.ts';
import type { DeliveryRow } from './tables.ts';
import type { Target } from './target.ts';

const defaultLimit = 100;

/** The API of notifications. */
export function notificationRoutes(service: NotificationService): Route[] {
  return [...targetRoutes(service), ...subscriptionRoutes(service), ...deadLetterRoutes(service)];
}

function targetRoutes(service: NotificationService): Route[] {
  return [
    route(contract.createNotificationTarget, async ({ body, caller }) => {
      const { name, kind, timeout_ms: timeoutMs, ...wish } = body;
      return grantedView(await service.add(name, kind, { ...wish, timeoutMs }, caller.name));
    }),
    route(contract.listNotificationTargets, async () => ({ items: (await service.list()).map(targetView) })),
    route(contract.getNotificationTarget, async ({ params }) => targetView(await service.get(params.target))),
    route(contract.changeNotificationTarget, async ({ params, body, caller }) => {
      const { timeout_ms: timeoutMs, ...wish } = body;
      return grantedView(await service.change(params.target, { ...wish, timeoutMs }, caller.name));
    }),
    route(contract.removeNotificationTarget, async ({ params, caller }) => {
      await service.remove(params.target, caller.name);
      return { name: params.target };
    }),
    route(contract.testNotificationTarget, async ({ params }) => {
      const sent = await service.test(params.target);
      return sent.outcome === 'delivered'
        ? { ok: true, detail: 'The message was taken.' }
        : { ok: false, detail: sent.error };
    }),
  ];
}

function subscriptionRoutes(service: NotificationService): Route[] {
  return [
    route(contract.createNotificationSubscription, async ({ body, caller }) =>
      subscriptionView(await service.subscribe({ ...body, resources: body.resources ?? [] }, caller.name)),
    ),
    route(contract.listNotificationSubscriptions, async () => ({
      items: (await service.subscriptions()).map(subscriptionView),
    })),
    route(contract.removeNotificationSubscription, async ({ params, caller }) => {
      await service.unsubscribe(params.subscription, caller.name);
      return { name: params.subscription };
    }),
  ];
}

function deadLetterRoutes(service: NotificationService): Route[] {
  return [
    route(contract.listNotificationDeadLetters, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const [target = '', id = '0'] = (decodeCursor(query.cursor) ?? '').split(':');
      const after = { target, id: Number(id) || 0 };
      const rows = await service.deadLetters({ target: query.target, after, limit: limit + 1 });
      return page(rows, limit, (row) => `${row.target}:${row.id}`, deadLetterView);
    }),
    route(contract.requeueNotificationDeadLetters, async ({ body }) => ({
      requeued: await service.requeue({ target: body.target, ids: body.ids ?? null }),
    })),
    route(contract.dropNotificationDeadLetters, async ({ body }) => ({
      dropped: await service.drop({ target: body.target, ids: body.ids ?? null }),
    })),
  ];
}

function grantedView({ target, secret }: GrantedTarget) {
  return { target: targetView(target), secret };
}

function targetView({ settings, ...target }: Target): Static<typeof targetSchema> {
  return {
    name: target.name,
    kind: target.kind,
    url: settings.url,
    headers: [...settings.headerNames],
    topic: settings.topic,
    ca: settings.ca,
    source: settings.source,
    timeout_ms: settings.timeoutMs,
    parallel: settings.parallel,
    state: target.state,
    reason: target.reason,
    waiting: target.waiting,
    dead_letters: target.dead,
    dropped: target.dropped,
    created_at: isoTime(target.createdAtMs),
    updated_at: isoTime(target.updatedAtMs),
  };
}

function subscriptionView({ createdAtMs, types, resources, ...subscription }: Subscription) {
  return { ...subscription, types: [...types], resources: [...resources], created_at: isoTime(createdAtMs) };
}

function deadLetterView(row: DeliveryRow): Static<typeof deadLetterSchema> {
  const { id, target, event_id, resource, type, attempts, last_error, body } = row;
  return { id, target, event_id, resource, type, attempts, last_error, body, created_at: isoTime(row.created_at) };
}
