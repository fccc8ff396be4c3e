import { formatDuration } from '../kernel/config/duration.ts';
import { formatSize } from '../kernel/config/size.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import type { objectBackendContract } from '../objects/backends/contract.ts';
import { printable } from './object/address.ts';
import { coloured, table } from './output.ts';

type BackendReply = ReplyOf<typeof objectBackendContract.getObjectBackend>;
type ProbeReply = ReplyOf<typeof objectBackendContract.testObjectBackend>;

/** All backends, a line each. */
export function backendLines(items: readonly BackendReply[]): string[] {
  const rows = items.map((one) => [
    one.name,
    one.kind,
    coloured(one.state),
    coloured(one.health.status),
    size(one.used_bytes),
    one.quota_bytes === null ? '-' : size(one.quota_bytes),
    count(one.copies),
    one.breaker.state === 'closed' ? '-' : coloured(one.breaker.state),
    labels(one.labels) ?? '-',
  ]);
  return table(['NAME', 'KIND', 'STATE', 'HEALTH', 'USED', 'QUOTA', 'COPIES', 'BREAKER', 'LABELS'], rows);
}

/** What is wrong with some of them, a line each. */
export function troubleLines(items: readonly BackendReply[]): string[] {
  return items.flatMap(({ name, problem, health, breaker, usage }) => {
    const reasons = [
      problem,
      health.status === 'healthy' ? null : health.detail,
      breaker.reason,
      breaker.state === 'closed' ? null : `Its breaker is ${breaker.state}.`,
      usage.over.length === 0 ? null : `It has reached ${usage.over.join(', ')}.`,
    ];
    const found = new Set(reasons.filter((reason) => reason !== null));
    return found.size === 0 ? [] : [`${name}: ${printable([...found].join(' '))}`];
  });
}

/** All that is known of one backend. */
export function backendFacts(one: BackendReply): string[] {
  const { usage, breaker, health } = one;
  const limited = (used: string, most: string | null) => (most === null ? used : `${used} of ${most}`);
  const facts: readonly (readonly [string, string | null])[] = [
    ['name', one.name],
    ['kind', one.kind],
    ['state', coloured(one.state)],
    ['problem', one.problem],
    ['health', `${coloured(health.status)}  ${health.detail}`],
    ['free', health.free_bytes === null ? null : limited(size(health.free_bytes), sizeOrNull(health.total_bytes))],
    ['breaker', breaker.state === 'closed' ? null : `${coloured(breaker.state)}  ${breaker.reason ?? ''}`.trimEnd()],
    ['config', texts(one.config)],
    ['secrets', one.secrets.join(', ') || null],
    ['labels', labels(one.labels)],
    ['position', String(one.position)],
    ['used', limited(size(one.used_bytes), sizeOrNull(one.quota_bytes))],
    ['to be deleted', size(one.orphan_bytes)],
    ['being written', size(one.claimed_bytes)],
    ['copies', count(one.copies)],
    ...drainFacts(one.drain),
    ['largest object', sizeOrNull(one.object_bytes_max)],
    [`requests ${usage.month}`, limited(String(usage.requests), text(usage.requests_max))],
    [`written ${usage.month}`, limited(size(usage.ingress_bytes), sizeOrNull(usage.ingress_bytes_max))],
    [`read ${usage.month}`, limited(size(usage.egress_bytes), sizeOrNull(usage.egress_bytes_max))],
    ['limits reached', usage.over.join(', ') || null],
    ['latency', `${one.latency_ms} ms`],
    ['version', String(one.version)],
    ['added', one.created_at],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(18)}${value}`]));
}

/** What a test found, step by step. */
export function probeLines(report: ProbeReply): string[] {
  const rows = report.steps.map(({ step, ok, took_ms, error }) => [
    step,
    coloured(ok ? 'ok' : 'failed'),
    `${took_ms.toFixed(1)} ms`,
    error ?? '',
  ]);
  return [...(report.detail === null ? [] : [report.detail]), ...table(['STEP', 'RESULT', 'TIME', 'REASON'], rows)];
}

function size(bytes: bigint | number | string): string {
  return formatSize(BigInt(bytes));
}

function sizeOrNull(bytes: bigint | number | string | null): string | null {
  return bytes === null ? null : size(bytes);
}

function text(value: number | null): string | null {
  return value === null ? null : String(value);
}

function count(copies: BackendReply['copies']): string {
  return copies.is_exact ? String(copies.count) : `${copies.count}+`;
}

function labels(all: Readonly<Record<string, string>>): string | null {
  return texts(all);
}

function texts(all: Readonly<Record<string, string>>): string | null {
  const parts = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  return parts.length === 0 ? null : parts.join(' ');
}

/** How far a drain is, and what stands in its way. */
function drainFacts(drain: BackendReply['drain']): readonly (readonly [string, string | null])[] {
  if (drain === null) return [];
  const { completed_at: completedAt, bytes_left: bytesLeft, bytes_per_second: rate, seconds_left: seconds } = drain;
  const pace = rate === null ? '' : `, ${size(rate)}/s`;
  const left = seconds === null ? '' : `, ${formatDuration(seconds * 1_000)} left`;
  return [
    ['drain', completedAt === null ? `${size(bytesLeft)} to go${pace}${left}` : `complete since ${completedAt}`],
    ...drain.blocked.map(({ reason, count: number }) => ['blocked', `${number}: ${printable(reason)}`] as const),
  ];
}
