import type { Static } from 'typebox';
import { isoTime, isoTimeOrNull } from '../../kernel/operations/view.ts';
import type { objectBackendSchema, probeSchema } from './contract.ts';
import type { BackendDetail } from './management/details.ts';
import type { ProbeReport } from './management/probe.ts';

const shownStates = ['active', 'migrating', 'purging'] as const;

/** A backend as the API tells it. Secrets are named, and nothing else is said of them. */
export function backendView(detail: BackendDetail): Static<typeof objectBackendSchema> {
  const { row, books, breaker, health, drain } = detail;
  return {
    name: row.name,
    kind: row.kind,
    state: shownStates.find((state) => state === row.state) ?? 'draining',
    problem: detail.problem,
    config: JSON.parse(row.config) as Record<string, string>,
    secrets: [...detail.secretNames],
    labels: JSON.parse(row.labels) as Record<string, string>,
    position: row.position,
    quota_bytes: row.quota_bytes,
    object_bytes_max: row.object_bytes_max,
    used_bytes: books.usedBytes,
    orphan_bytes: books.orphanBytes,
    claimed_bytes: books.claimedBytes,
    copies: { count: books.copies.count, is_exact: books.copies.isExact },
    usage: usageView(detail),
    breaker: { state: breaker.state, reason: breaker.reason, retry_after_ms: Math.ceil(breaker.retryAfterMs) },
    latency_ms: Math.round(detail.latencyMs * 100) / 100,
    health: {
      status: health.isHealthy ? 'healthy' : 'unhealthy',
      detail: health.detail,
      free_bytes: health.freeBytes,
      total_bytes: health.totalBytes,
      checked_at: new Date(health.checkedAtMs).toISOString(),
    },
    drain: drain && {
      started_at: isoTime(drain.startedAtMs),
      completed_at: isoTimeOrNull(drain.completedAtMs),
      bytes_left: Number(drain.bytesLeft),
      bytes_per_second: drain.bytesPerSecond,
      seconds_left: drain.secondsLeft,
      blocked: [...drain.blocked],
    },
    version: row.version,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
  };
}

export function probeView(name: string, { isOk, detail, steps }: ProbeReport): Static<typeof probeSchema> {
  return {
    name,
    ok: isOk,
    detail,
    steps: steps.map(({ step, tookMs, error }) => ({
      step,
      ok: error === null,
      took_ms: Math.round(tookMs * 100) / 100,
      error: error?.message ?? null,
    })),
  };
}

function usageView({ row, usage, over }: BackendDetail): Static<typeof objectBackendSchema>['usage'] {
  return {
    month: usage.month,
    requests: usage.requests,
    ingress_bytes: BigInt(usage.ingressBytes),
    egress_bytes: BigInt(usage.egressBytes),
    requests_max: row.month_requests_max,
    ingress_bytes_max: row.month_ingress_bytes_max,
    egress_bytes_max: row.month_egress_bytes_max,
    over: [...over],
  };
}
