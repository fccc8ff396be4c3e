import type { Static } from 'typebox';
import { decodeCursor, page } from '../../kernel/http/cursor.ts';
import { type Route, route } from '../../kernel/http/server.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { monthOf } from '../backends/usage.ts';
import { quotaContract, type quotaSchema } from './contract.ts';
import { type NamedBook, listBooks } from './queries.ts';
import type { QuotaService } from './service.ts';
import { type Standing, listStandings, shareOf } from './standings.ts';

const defaultLimit = 100;

export interface QuotaRouteOptions {
  readonly service: QuotaService;
  readonly store: Store;
  readonly clock: Clock;
}

/** The API of limits and usage. */
export function quotaRoutes({ service, store, clock }: QuotaRouteOptions): Route[] {
  return [
    route(quotaContract.usage, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const month = monthOf(clock.nowMs());
      const wish = { month, after: decodeCursor(query.cursor) ?? '', limit: limit + 1 };
      const rows = await store.read((reader) => listStandings(reader, wish));
      return { month, ...page(rows, limit, ({ subject }) => subject, standingView) };
    }),
    route(quotaContract.listQuotas, async ({ query }) => {
      const limit = query.limit ?? defaultLimit;
      const after = decodeCursor(query.cursor) ?? '';
      const rows = await store.read((reader) => listBooks(reader, { after, limit: limit + 1 }));
      return page(rows, limit, ({ subject }) => subject, quotaView);
    }),
    route(quotaContract.getQuota, async ({ params }) => quotaView(await service.get(params.subject))),
    route(quotaContract.setQuota, async ({ params, body, caller }) =>
      quotaView(await service.set(params.subject, body, caller.name)),
    ),
    route(quotaContract.removeQuota, async ({ params, caller }) => {
      await service.remove(params.subject, caller.name);
      return null;
    }),
  ];
}

function quotaView(book: NamedBook): Static<typeof quotaSchema> {
  const { bytes, objects, month } = book.limits;
  return {
    subject: book.subject,
    user_name: book.userName,
    bytes_max: bytes,
    objects_max: objects,
    month_requests_max: month.requests,
    month_ingress_bytes_max: month.ingress,
    month_egress_bytes_max: month.egress,
    used_bytes: book.usedBytes,
    used_objects: book.usedObjects,
    counted_at: book.countedAtMs === null ? null : new Date(book.countedAtMs).toISOString(),
    created_at: new Date(book.createdAtMs).toISOString(),
  };
}

function standingView({ subject, userName, gauges }: Standing) {
  return {
    subject,
    user_name: userName,
    meters: gauges.map((gauge) => ({
      meter: gauge.meter,
      used: gauge.used,
      maximum: gauge.maximum,
      share: shareOf(gauge),
    })),
  };
}
