import Type from 'typebox';
import { endpoint } from './contract.ts';

const partSchema = Type.Object({
  status: Type.Enum(['healthy', 'degraded', 'unhealthy']),
  detail: Type.String(),
});
const healthSchema = Type.Object({
  status: Type.Enum(['healthy', 'degraded', 'unhealthy']),
  parts: Type.Record(Type.String(), partSchema),
});

export const healthContract = {
  health: endpoint({
    id: 'health',
    method: 'GET',
    path: '/healthz',
    summary: 'Whether each part works, asked now; 503 when the server cannot do its work',
    tag: 'server',
    role: 'public',
    status: 200,
    reply: healthSchema,
  }),
  ready: endpoint({
    id: 'ready',
    method: 'GET',
    path: '/readyz',
    summary: 'Whether requests can be sent here: 503 while starting, stopping or without the store',
    tag: 'server',
    role: 'public',
    status: 200,
    reply: Type.Object({ ready: Type.Boolean(), detail: Type.String() }),
  }),
  metrics: endpoint({
    id: 'metrics',
    method: 'GET',
    path: '/metrics',
    summary: 'Prometheus metrics',
    tag: 'server',
    role: 'viewer',
    status: 200,
    reply: Type.String(),
    media: 'text',
  }),
  openapi: endpoint({
    id: 'openapi',
    method: 'GET',
    path: '/api/v1/openapi.json',
    summary: 'This document',
    tag: 'server',
    role: 'public',
    status: 200,
    reply: Type.Record(Type.String(), Type.Unknown()),
  }),
};

export type PartStatus = 'healthy' | 'degraded' | 'unhealthy';

export interface PartHealth {
  readonly status: PartStatus;
  readonly detail: string;
}

/** One part's check: whether the server can work without it, and how to ask. */
export interface HealthCheck {
  readonly name: string;
  /** Without a vital part the server is unhealthy; without another one it is degraded. */
  readonly isVital: boolean;
  /** Gives a sentence; throws when the part does not work. */
  check(signal: AbortSignal): Promise<string>;
}

/** Asks every part at once, each within `timeoutMs`. */
export async function checkHealth(
  checks: readonly HealthCheck[],
  timeoutMs: number,
): Promise<{ status: PartStatus; parts: Record<string, PartHealth> }> {
  const results = await Promise.all(checks.map(async (one) => [one.name, await checkOne(one, timeoutMs)] as const));
  const worst = (['unhealthy', 'degraded', 'healthy'] as const).find((status) =>
    results.some(([, part]) => part.status === status),
  );
  return { status: worst ?? 'healthy', parts: Object.fromEntries(results) };
}

async function checkOne({ check, isVital }: HealthCheck, timeoutMs: number): Promise<PartHealth> {
  try {
    return { status: 'healthy', detail: await within(check(AbortSignal.timeout(timeoutMs)), timeoutMs) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { status: isVital ? 'unhealthy' : 'degraded', detail };
  }
}

/** The result, or an error once `timeoutMs` have passed: not everything that is asked heeds a signal. */
export function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`There was no answer within ${timeoutMs / 1000} s.`)), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
