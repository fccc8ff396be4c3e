import type { Clock } from '../../kernel/ids.ts';
import type { Keeper, KeeperPlan, PlanCost } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { monthOf } from '../backends/usage.ts';
import { type CapacityMeter, type Gauge, type Standing, backendStandings } from './standings.ts';
import { nextMonthMs } from './traffic.ts';

const meterNames: Readonly<Record<CapacityMeter, string>> = {
  bytes: 'quota in bytes',
  objects: 'quota of objects',
  requests: 'monthly limit of requests',
  ingress: 'monthly limit of bytes in',
  egress: 'monthly limit of bytes out',
};

/** Which limits of backends a plan would pass, and how far it comes before that; a sentence each. */
export function forecast(costs: readonly PlanCost[], standings: readonly Standing[], nowMs: number): string[] {
  const bySubject = new Map(standings.map((standing) => [standing.subject, standing]));
  const warnings: string[] = [];
  for (const cost of costs) {
    for (const gauge of bySubject.get(`backend:${cost.place}`)?.gauges ?? []) {
      const warning = warningOf(cost, gauge, nowMs);
      if (warning !== null) warnings.push(warning);
    }
  }
  return warnings;
}

function warningOf({ place, requests, ingressBytes, egressBytes }: PlanCost, gauge: Gauge, nowMs: number) {
  const { meter, maximum } = gauge;
  // What is written also stands there.
  const needs = { bytes: ingressBytes, objects: 0, requests, ingress: ingressBytes, egress: egressBytes }[meter];
  if (maximum === null || needs === 0) return null;
  const left = Math.max(0, maximum - (gauge.used ?? 0));
  if (needs <= left) return null;
  const reached = Math.floor((left / needs) * 100);
  const ends = new Date(nextMonthMs(nowMs)).toISOString().slice(0, 10);
  const isMonthly = meter !== 'bytes' && meter !== 'objects';
  return (
    `${place} would reach its ${meterNames[meter]} (${maximum}) after ${reached} % of this: ${left} are left, ` +
    `and ${needs} are needed.${isMonthly ? ` The next month begins on ${ends}.` : ''}`
  );
}

/** A plan with what is known of the limits that it would pass. */
export async function withWarnings(plan: KeeperPlan, store: Store, clock: Clock): Promise<KeeperPlan> {
  const nowMs = clock.nowMs();
  const standings = await store.read((reader) => backendStandings(reader, monthOf(nowMs)));
  return { ...plan, warnings: [...(plan.warnings ?? []), ...forecast(plan.costs, standings, nowMs)] };
}

/** A keeper whose plans warn of limits. */
export function forecasting(keeper: Keeper, store: Store, clock: Clock): Keeper {
  if (keeper.plan === undefined) return keeper;
  const plan = keeper.plan.bind(keeper);
  return {
    name: keeper.name,
    summary: keeper.summary,
    periodMs: keeper.periodMs,
    run: (signal, progress) => keeper.run(signal, progress),
    plan: async (signal) => withWarnings(await plan(signal), store, clock),
  };
}
