import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Endpoint } from '../../kernel/http/contract.ts';
import { type Route, route } from '../../kernel/http/server.ts';
import type { BackendRow } from '../tables.ts';
import type { Static } from 'typebox';
import type { Store } from '../../kernel/store/store.ts';
import { objectBackendContract, type objectBackendSchema } from './contract.ts';
import { type DetailSources, detailOf } from './management/details.ts';
import { HealthMemo } from './management/health.ts';
import { findBackend, listBackends } from './management/queries.ts';
import type { BackendService } from './management/service.ts';
import { backendsMax } from './store-registry.ts';
import { backendView, probeView } from './view.ts';

/** Tells a backend as the API does, with what is known of it beside its row. */
export type ShowBackend = (row: BackendRow) => Promise<Static<typeof objectBackendSchema>>;

export interface BackendDetailOptions extends Omit<DetailSources, 'health'> {
  /** Deadline of asking a backend for its health. */
  readonly healthTimeoutMs: number;
}

export function backendDetails(options: BackendDetailOptions): ShowBackend {
  const sources: DetailSources = { ...options, health: new HealthMemo(options.healthTimeoutMs) };
  return async (row) => backendView(await detailOf(row, sources));
}

export interface ObjectBackendRouteOptions {
  readonly service: BackendService;
  readonly store: Store;
  readonly shown: ShowBackend;
}

/** The API of the places where objects stand. */
export function objectBackendRoutes({ service, store, shown }: ObjectBackendRouteOptions): Route<Endpoint>[] {
  return [
    route(objectBackendContract.listObjectBackends, async () => {
      const rows = await store.read((reader) => listBackends(reader, 2 * backendsMax));
      return { items: await Promise.all(rows.map(shown)) };
    }),
    route(objectBackendContract.getObjectBackend, async ({ params }) => {
      const row = await store.read((reader) => findBackend(reader, params.backend));
      if (row === null) throw new HoldfastError('not_found', `There is no backend ${params.backend}.`);
      return shown(row);
    }),
    route(objectBackendContract.addObjectBackend, async ({ body, caller }) => {
      const { config = {}, secrets = {}, labels = {}, position = null, skip_test: isTestSkipped = false } = body;
      return shown(await service.add({ ...body, config, secrets, labels, position, isTestSkipped }, caller.name));
    }),
    route(objectBackendContract.changeObjectBackend, async ({ params, body, caller }) => {
      const { skip_test: isTestSkipped = false, force: isForced = false } = body;
      return shown(await service.change(params.backend, { ...body, isTestSkipped, isForced }, caller.name));
    }),
    route(objectBackendContract.removeObjectBackend, async ({ params, query, caller }) => {
      if (query.purge === true) await service.purge(params.backend, query.confirm ?? null, caller.name);
      else await service.remove(params.backend, caller.name);
      return null;
    }),
    route(objectBackendContract.drainObjectBackend, async ({ params, caller }) =>
      shown(await service.setState(params.backend, 'draining', caller.name)),
    ),
    route(objectBackendContract.undrainObjectBackend, async ({ params, caller }) =>
      shown(await service.setState(params.backend, 'active', caller.name)),
    ),
    route(objectBackendContract.testObjectBackend, async ({ params }) =>
      probeView(params.backend, await service.test(params.backend)),
    ),
  ];
}
