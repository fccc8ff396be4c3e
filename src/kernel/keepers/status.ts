import type { KeeperTable } from '../store/tables.ts';
import type { Keeper, KeeperProgress, KeeperStatus } from './keeper.ts';

/** A keeper with what the store knows of its runs; a keeper that never ran has no row. */
export function keeperStatus(keeper: Keeper, row: KeeperTable | undefined): KeeperStatus {
  const { name, summary, periodMs } = keeper;
  const isRunning = (row?.until ?? 0) > Date.now();
  const { paused_at: pausedAtMs = null, paused_by: pausedBy = null } = row ?? {};
  return {
    name,
    summary,
    periodMs,
    hasPlan: keeper.plan !== undefined,
    isRunning,
    progress: isRunning && typeof row?.progress === 'string' ? (JSON.parse(row.progress) as KeeperProgress) : null,
    paused: pausedAtMs === null ? null : { atMs: pausedAtMs, by: pausedBy ?? '' },
    runs: row?.runs ?? 0,
    lastStartedAtMs: row?.last_started_at ?? null,
    lastFinishedAtMs: row?.last_finished_at ?? null,
    lastSuccessAtMs: row?.last_success_at ?? null,
    lastResult: row?.last_result ?? null,
    lastError: row?.last_error ?? null,
  };
}
