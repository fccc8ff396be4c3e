import { type KeeperPlan, type PlanCost, type PlanStep, planStepsMax } from '../../kernel/keepers/keeper.ts';
import { compare, isOwned } from '../checking/compare.ts';
import { bornAtMs, isOwnKey } from '../checking/unknown-blob.ts';
import type { ReconcileOptions } from './reconcile.ts';

/** Looking is given up after this, and what was seen so far is told. */
const lookMsMax = 40_000;
const blobsPerPage = 1_000;

/** What a round would do, as far as listings tell: no blob is read. */
export async function planReconcile(options: ReconcileOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const { registry, store, clock, graceMs } = options;
  const endAtMs = performance.now() + lookMsMax;
  const steps: PlanStep[] = [];
  const costs: PlanCost[] = [];
  let count = 0;
  let sizeBytes = 0;
  let isExact = true;
  for (const { name, backend } of registry.all) {
    let compared = 0;
    for await (const one of compare({ store, name, backend, signal })) {
      compared++;
      if (performance.now() > endAtMs) {
        isExact = false;
        break;
      }
      if (one.kind === 'both' && one.blob.sizeBytes === one.copy.stored_bytes) continue;
      const step = one.kind === 'unknown' ? await unknownStep(options, name, one.blob) : lookAgain(one.copy, name);
      if (step === null || (one.kind === 'unknown' && clock.nowMs() - bornAtMs(one.blob) < graceMs)) continue;
      count++;
      sizeBytes += step.sizeBytes;
      if (steps.length < planStepsMax) steps.push(step);
    }
    costs.push({ place: name, requests: Math.ceil(compared / blobsPerPage), ingressBytes: 0, egressBytes: 0 });
  }
  return { summary: `${count} differences are to be dealt with.`, steps, count, isExact, sizeBytes, costs };
}

function lookAgain(
  { storage_key: key, stored_bytes: sizeBytes }: { storage_key: string; stored_bytes: number },
  name: string,
) {
  return { action: 'look again', subject: `${key} on ${name}`, sizeBytes };
}

async function unknownStep(
  { store, unknown }: ReconcileOptions,
  name: string,
  { key, sizeBytes }: { readonly key: string; readonly sizeBytes: number },
): Promise<PlanStep | null> {
  if (unknown === 'ignore' || (await store.read((reader) => isOwned(reader, name, key)))) return null;
  const isOurs = isOwnKey(key);
  const isDeleted = isOurs && unknown !== 'report';
  const action = isDeleted ? 'delete' : unknown === 'import' && !isOurs ? 'import' : 'report';
  return { action, subject: `${key} on ${name}`, sizeBytes };
}
