import { type Route, route } from '../http/server.ts';
import { isoTimeOrNull } from '../operations/view.ts';
import { keeperContract } from './contract.ts';
import type { KeeperRunner } from './runner.ts';

/** The API of keepers. */
export function keeperRoutes(keepers: KeeperRunner): Route[] {
  return [
    route(keeperContract.listKeepers, async () => ({
      items: (await keepers.status()).map((status) => ({
        name: status.name,
        summary: status.summary,
        period_ms: status.periodMs,
        running: status.isRunning,
        runs: status.runs,
        last_started_at: isoTimeOrNull(status.lastStartedAtMs),
        last_finished_at: isoTimeOrNull(status.lastFinishedAtMs),
        last_success_at: isoTimeOrNull(status.lastSuccessAtMs),
        last_result: status.lastResult,
        last_error: status.lastError,
      })),
    })),
    route(keeperContract.runKeeper, ({ params }) => {
      keepers.signal(params.name);
      return { name: params.name };
    }),
  ];
}
