import { type KeeperPlan, type PlanCost, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { Demand } from './pass.ts';

/** How many contents one query asks for. */
const contentsPerQuery = 200;

/** What demands would do and cost: removals are requests, and the bytes are those that come free. */
export async function lifecyclePlan(store: Store, demands: readonly Demand[], isExact: boolean): Promise<KeeperPlan> {
  const steps = demands.slice(0, planStepsMax).map(({ candidate, verdict }) => ({
    action: verdict.action,
    subject: `${candidate.bucket}/${candidate.key} (version ${candidate.versionId}, rule ${verdict.ruleId})`,
    sizeBytes: candidate.sizeBytes,
  }));
  const sizeBytes = demands.reduce((sum, { candidate, isForGood }) => sum + (isForGood ? candidate.sizeBytes : 0), 0);
  const costs = await costsOf(store, demands);
  const summary = `${demands.length} versions are due${isExact ? '' : ' in what was looked at so far'}.`;
  return { summary, steps, count: demands.length, isExact, sizeBytes, costs };
}

/** A deletion for each copy of what goes for good. A delete marker moves no bytes. */
async function costsOf(store: Store, demands: readonly Demand[]): Promise<readonly PlanCost[]> {
  const contents = demands
    .filter(({ isForGood }) => isForGood)
    .flatMap(({ candidate: { contentId } }) => (contentId === null ? [] : [contentId]));
  const requests = new Map<string, number>();
  for (let at = 0; at < contents.length; at += contentsPerQuery) {
    const ids = contents.slice(at, at + contentsPerQuery);
    const statement = `select backend, count(*) as n from copies where content_id in (${ids.map(() => '?').join(', ')}) group by backend`;
    const rows = await store.read((reader) => reader.rows<{ backend: string; n: number | string }>(statement, ids));
    for (const { backend, n } of rows) requests.set(backend, (requests.get(backend) ?? 0) + Number(n));
  }
  return [...requests].map(([place, count]) => ({ place, requests: count, ingressBytes: 0, egressBytes: 0 }));
}
