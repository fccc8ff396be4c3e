import { createAuthorizer } from '../../kernel/http/authorizer.ts';
import { createHttpServer } from '../../kernel/http/server.ts';
import { createLog } from '../../kernel/telemetry/log.ts';
import { createMetrics } from '../../kernel/telemetry/metrics.ts';
import { openStore } from '../../kernel/store/open.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { backendDetails, objectBackendRoutes } from './routes.ts';
import { type BackendRig, backendMigrations, openBackends, testSealer } from './test-backends.ts';

/** The API of backends alone, on a free port, over an embedded store. */
export async function backendServer(): Promise<BackendRig & { readonly url: string }> {
  const directory = await temporaryDirectory();
  const settings = {
    databaseUrl: undefined,
    dataDirectory: directory.path,
    timeoutMs: 5_000,
    migrations: backendMigrations,
  };
  const store = await openStore(settings, { owner: true });
  const rig = await openBackends(store);
  const { service, registry, usage } = rig;
  const app = createHttpServer(
    {
      log: createLog({ level: 'silent' }),
      metrics: createMetrics(),
      authorizer: createAuthorizer(store),
      tracer: null,
    },
    objectBackendRoutes({
      service,
      store,
      shown: backendDetails({ store, registry, usage, sealer: testSealer, healthTimeoutMs: 1_000 }),
    }),
  );
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    ...rig,
    url,
    async [Symbol.asyncDispose]() {
      await app.close();
      await rig[Symbol.asyncDispose]();
      await store.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}
