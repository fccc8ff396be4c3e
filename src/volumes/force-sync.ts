import { toErrorData } from '../kernel/errors/errors.ts';
import type { OperationKind } from '../kernel/operations/operation.ts';
import { type Accepted, type OperationRequest, findReplay, startOperation } from '../kernel/operations/start.ts';
import { transaction } from '../kernel/store/transaction.ts';
import type { DeviceBook, NodeView } from './devices/book.ts';
import type { Difference, OnDifference } from './difference.ts';
import type { Hosts } from './hosts.ts';

export interface ForceSyncOptions {
  readonly hosts: Hosts;
  readonly book: DeviceBook;
  /** Compares volumes with their backends; gives a sentence. */
  compareBackends(signal: AbortSignal, onDifference: OnDifference): Promise<string>;
  /** Compares exports with their hosts; gives a sentence. */
  compareExports(signal: AbortSignal, onDifference: OnDifference): Promise<string>;
  readonly timeoutMs: number;
}

/** What is told at most; the rest is counted. */
const differencesMax = 1_000;

/** Accepts a comparison of everything; one at a time. */
export const acceptForceSync = transaction(
  import.meta.url,
  'acceptForceSync',
  async (tx, { request }: { readonly request: OperationRequest }): Promise<Accepted> => {
    const replay = await findReplay(tx, request);
    return replay ?? startOperation(tx, request, { kind: 'admin.force_sync', resource: 'force-sync', input: {} });
  },
);

/**
 * Compares backend, kernel and store now, begins to repair what differs, and tells each difference. What cannot be asked is told
 * as such, and does not keep the others from being compared.
 */
export function forceSyncKind(options: ForceSyncOptions): OperationKind<object> {
  return {
    name: 'admin.force_sync',
    run: (op) =>
      op.step('compare', ({ signal }) => compare(options, signal), {
        timeoutMs: options.timeoutMs,
        policy: { attemptsMax: 2, initialWaitMs: 500, multiplier: 2, waitMaxMs: 5_000 },
      }),
  };
}

async function compare(options: ForceSyncOptions, signal: AbortSignal) {
  const differences: Difference[] = [];
  const compared: Record<string, string> = {};
  let found = 0;
  const onDifference = (difference: Difference) => {
    if (++found <= differencesMax) differences.push(difference);
  };
  const parts = {
    backends: () => options.compareBackends(signal, onDifference),
    exports: () => options.compareExports(signal, onDifference),
    kernels: () => compareKernels(options, onDifference),
  };
  for (const [name, part] of Object.entries(parts)) {
    compared[name] = await part().catch((error: unknown) => `not wholly compared: ${toErrorData(error).message}`);
  }
  return { compared, differences, differences_found: found };
}

async function compareKernels({ hosts, book }: ForceSyncOptions, onDifference: OnDifference): Promise<string> {
  let compared = 0;
  for (const { name, state } of await hosts.list()) {
    const view = state === 'alive' ? await book.nodeView(name) : null;
    if (view === null) continue;
    compared++;
    for (const difference of kernelDifferences(view)) onDifference(difference);
  }
  return `${compared} hosts compared`;
}

/** What a kernel shows otherwise than it should: nothing there is repaired but by its agent, which tries with each look. */
export function kernelDifferences({ host, volumes, correlation, links }: NodeView): Difference[] {
  const about = { between: 'kernel', action: 'its agent looks again with every change' } as const;
  const matched = new Set(correlation.matches.map(({ volumeId }) => volumeId));
  const missing = volumes
    .filter(({ volumeId, attachmentState }) => attachmentState === 'attached' && !matched.has(volumeId))
    .map(({ volumeId, name }) => ({
      ...about,
      kind: 'device_missing',
      volume_id: volumeId,
      message: `Volume ${name} is attached at ${host.name}, whose kernel shows no device of it.`,
      action: 'none: the machine connects to it by itself',
    }));
  const doubts = correlation.doubts.map(({ reason, message, volumeIds }) => ({
    ...about,
    kind: `device_${reason}`,
    volume_id: volumeIds[0] ?? null,
    message: `${host.name}: ${message}`,
    action: 'none: which is which is for people to say',
  }));
  const failed = (links?.links ?? [])
    .filter(({ state }) => state === 'failed')
    .map(({ volumeId, name, reason }) => ({
      ...about,
      kind: 'link_failed',
      volume_id: volumeId,
      message: `${host.name}: ${name}: ${reason}`,
    }));
  const leftovers = (links?.leftovers ?? []).map(({ name, reason }) => ({
    ...about,
    kind: 'link_left',
    volume_id: null,
    message: `${host.name}: ${name}: ${reason}`,
  }));
  return [...missing, ...doubts, ...failed, ...leftovers];
}
