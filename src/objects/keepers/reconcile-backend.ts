import type { KnownBackend } from '../backends/registry.ts';
import { settleBadCopy } from '../checking/settle-bad-copy.ts';
import { queueOrphan } from '../ledger/queue-orphan.ts';
import { importForeign } from './import-foreign.ts';
import { type Judged, type ReconcileFindings, judgeBackend, noteUnreadable } from './judge-backend.ts';
import type { ReconcileOptions } from './reconcile.ts';

/** What a round found on a backend and did; counted up. */
export interface ReconcileTally extends ReconcileFindings {
  replaced: number;
  kept: number;
  imported: number;
  queued: number;
}

export function emptyReconcileTally(): ReconcileTally {
  const unknown = { ownUnknown: 0, foreign: 0, unknownBytes: 0, imported: 0, queued: 0 };
  return { blobs: 0, missing: 0, replaced: 0, kept: 0, young: 0, unreadable: 0, ...unknown, examples: [] };
}

/** After so many keys the place is kept: a run that is stopped goes over no more than these again. */
const placeEvery = 1_000;
const callTimeoutMs = 60_000;

/**
 * Compares a backend with the ledger from a storage key on, and carries out what is to become of each. Throws as looking
 * does.
 */
export async function reconcileBackend(
  options: ReconcileOptions,
  known: KnownBackend,
  after: string,
  tally: ReconcileTally,
  { signal, onPlace }: { readonly signal: AbortSignal; readonly onPlace: (key: string) => Promise<void> },
): Promise<void> {
  let steps = 0;
  for await (const one of judgeBackend(options, known, after, { findings: tally, signal })) {
    await carryOut(options, known, one, tally, signal).catch((error: unknown) =>
      noteUnreadable(options, known, one.key, { findings: tally, error, signal }),
    );
    if (++steps % placeEvery === 0) await onPlace(one.key);
  }
}

async function carryOut(
  options: ReconcileOptions,
  known: KnownBackend,
  { verdict }: Judged,
  tally: ReconcileTally,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock } = options;
  if (verdict.kind === 'missing') {
    const { content_id: contentId, part, backend, storage_key: storageKey } = verdict.copy;
    const settlement = await settleBadCopy(options, { contentId, part, backend, storageKey });
    if (settlement === 'replaced') tally.replaced++;
    if (settlement === 'kept') tally.kept++;
  } else if (verdict.kind === 'delete') {
    const { key: storageKey, sizeBytes: storedBytes } = verdict.blob;
    const bytes = { backend: known.name, storageKey, storedBytes };
    if (await store.write(queueOrphan, { bytes, nowMs: clock.nowMs() })) tally.queued++;
  } else if (verdict.kind === 'clear') {
    // Nothing in the ledger is about it, so there is nobody to ask.
    await known.backend.delete(verdict.blob.key, AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
  } else if (verdict.kind === 'import' && (await importForeign(options, known, verdict, signal))) tally.imported++;
}
