import { type Route, route } from '../../kernel/http/server.ts';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { rebuildContract } from './contract.ts';
import type { RebuildReport } from './report.ts';
import { type RebuildRun, beginRebuild, latestRebuild } from './runs.ts';

export interface RebuildRouteOptions {
  readonly store: Store;
  readonly newId: IdSource;
  readonly clock: Clock;
  /** Has the rebuild begin at once, on whichever replica. */
  wake(): void;
}

/** The API of rebuilding the ledger. */
export function rebuildRoutes({ store, newId, clock, wake }: RebuildRouteOptions): Route[] {
  return [
    route(rebuildContract.rebuildGateway, async ({ body, caller }) => {
      const { missing = false, dry_run: isDryRun = false, accept_loss: isLossAccepted = false, backends = [] } = body;
      const wish = { isMissingOnly: missing, isDryRun, isLossAccepted, backends };
      await store.write(beginRebuild, { id: newId('reb'), wish, actor: caller.name, nowMs: clock.nowMs() });
      wake();
      return rebuildView((await store.read(latestRebuild))!);
    }),
    route(rebuildContract.rebuildStatus, async () => {
      const run = await store.read(latestRebuild);
      return { rebuild: run && rebuildView(run) };
    }),
  ];
}

function rebuildView({ id, state, wish, report, error, createdAtMs, finishedAtMs }: RebuildRun) {
  return {
    id,
    state,
    dry_run: wish.isDryRun,
    missing: wish.isMissingOnly,
    report: report && reportView(report),
    error,
    created_at: timeOf(createdAtMs)!,
    finished_at: timeOf(finishedAtMs),
  };
}

function reportView({ backup, isTruncated, ...counts }: RebuildReport) {
  return {
    ...counts,
    // Earlier releases told of none.
    settings: counts.settings ?? {},
    has_backup: backup !== null,
    backup_as_of: timeOf(backup?.asOfMs ?? null),
    is_truncated: isTruncated,
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
