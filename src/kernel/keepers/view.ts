import type { Static } from 'typebox';
import { isoTime, isoTimeOrNull } from '../operations/view.ts';
import type { keeperContract, planSchema } from './contract.ts';
import type { KeeperPlan, KeeperStatus } from './keeper.ts';

/** A keeper as the API tells it. */
export function keeperView(status: KeeperStatus): Static<typeof keeperContract.listKeepers.reply>['items'][number] {
  const { progress, paused } = status;
  return {
    name: status.name,
    summary: status.summary,
    period_ms: status.periodMs,
    has_plan: status.hasPlan,
    running: status.isRunning,
    progress: progress && { done: progress.done, total: progress.total, detail: progress.detail ?? null },
    paused: paused && { at: isoTime(paused.atMs), by: paused.by },
    runs: status.runs,
    last_started_at: isoTimeOrNull(status.lastStartedAtMs),
    last_finished_at: isoTimeOrNull(status.lastFinishedAtMs),
    last_success_at: isoTimeOrNull(status.lastSuccessAtMs),
    last_result: status.lastResult,
    last_error: status.lastError,
  };
}

/** A plan as the API tells it. */
export function planView(plan: KeeperPlan): Static<typeof planSchema> {
  const { summary, steps, count, isExact, sizeBytes, costs, warnings } = plan;
  return {
    summary,
    steps: steps.map((step) => ({ action: step.action, subject: step.subject, size_bytes: step.sizeBytes })),
    count,
    is_exact: isExact,
    size_bytes: sizeBytes,
    costs: costs.map(({ place, requests, ingressBytes, egressBytes }) => ({
      place,
      requests,
      ingress_bytes: ingressBytes,
      egress_bytes: egressBytes,
    })),
    ...(warnings === undefined ? {} : { warnings: [...warnings] }),
  };
}
