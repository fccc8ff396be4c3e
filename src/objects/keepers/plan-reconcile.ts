import type { KeeperPlan } from '../../kernel/keepers/keeper.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { isOwnKey } from '../checking/unknown-blob.ts';
import { descriptionEndBytesMax } from '../content/description.ts';
import type { CopyRow } from '../tables.ts';
import { CostSheet } from './cost-sheet.ts';
import { type ReconcileFindings, type Verdict, judgeBackend } from './judge-backend.ts';
import { emptyReconcileTally } from './reconcile-backend.ts';
import type { ReconcileOptions } from './reconcile.ts';

/** Looking is given up after this, and what was seen so far is told. */
const lookMsMax = 40_000;
const comparedMax = 1_000_000;
const blobsPerPage = 1_000;
const siblings = 'select * from copies where content_id = ? and part = ? and backend <> ? order by backend';

/** A backend as a round comes to it. */
export interface ReconcileStop {
  readonly known: KnownBackend;
  /** The storage key that it goes on after. */
  readonly after: string;
  /** Why it is left out; `null` when it is not. */
  readonly deferred: string | null;
}

/**
 * What a round would do: backends are listed and compared as it does, and unknown blobs are looked at. No copy is read, so
 * that one which is missing is said to be replaced where the ledger has another one, whether that is right or not.
 */
export async function planReconcile(
  options: ReconcileOptions,
  stops: AsyncIterable<ReconcileStop>,
  signal: AbortSignal,
): Promise<KeeperPlan> {
  const endAtMs = performance.now() + lookMsMax;
  const sheet = new CostSheet();
  let compared = 0;
  let isExact = true;
  for await (const { known, after, deferred } of stops) {
    if (deferred !== null) {
      sheet.warn(`${known.name}: deferred, since it ${deferred}`);
      continue;
    }
    const findings = emptyReconcileTally();
    try {
      for await (const { verdict } of judgeBackend(options, known, after, { findings, signal })) {
        await addVerdict(options, known, verdict, sheet);
        isExact = ++compared < comparedMax && performance.now() < endAtMs;
        if (!isExact) break;
      }
    } catch (error) {
      signal.throwIfAborted();
      // The round goes on with the next backend, too.
      sheet.warn(`${known.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    addLooks(sheet, known, findings);
    if (!isExact) break;
  }
  return sheet.plan((count) => `${count} differences are to be dealt with.`, isExact);
}

/** What looking alone costs: a listing, and one request for each that differs. */
function addLooks(sheet: CostSheet, { name }: KnownBackend, findings: ReconcileFindings): void {
  const { blobs, missing, ownUnknown, foreign, unreadable } = findings;
  sheet.add(name, { requests: Math.max(1, Math.ceil(blobs / blobsPerPage)) + missing + ownUnknown + foreign });
  if (unreadable > 0) sheet.warn(`${name}: ${unreadable} could not be looked at`);
}

async function addVerdict(
  options: ReconcileOptions,
  { name }: KnownBackend,
  verdict: Verdict,
  sheet: CostSheet,
): Promise<void> {
  if (verdict.kind === 'nothing' || (verdict.kind === 'report' && options.unknown === 'ignore')) return;
  if (verdict.kind === 'missing') return addMissing(options, name, verdict.copy, sheet);
  const { key, sizeBytes } = verdict.blob;
  sheet.step(verdict.kind, `${key} on ${name}`, sizeBytes);
  if (verdict.kind === 'delete' || verdict.kind === 'clear') sheet.add(name, { requests: 1 });
  if (verdict.kind === 'clear') return;
  const endBytes = Math.min(sizeBytes, descriptionEndBytesMax);
  // Its end is read, for whether a gateway wrote it.
  if (verdict.kind === 'import' || isOwnKey(key)) sheet.add(name, { requests: 1, egressBytes: endBytes });
  // It is read whole, and looked at once more.
  if (verdict.kind === 'import') sheet.add(name, { requests: 2, egressBytes: sizeBytes });
}

async function addMissing(
  { store }: ReconcileOptions,
  name: string,
  { content_id: contentId, part, storage_key: key, stored_bytes: storedBytes }: CopyRow,
  sheet: CostSheet,
): Promise<void> {
  const [other] = await store.read((reader) => reader.rows<CopyRow>(siblings, [contentId, part, name]));
  sheet.add(name, { requests: 1 });
  if (other === undefined) return sheet.step('keep', `${key} on ${name}, of which there is no other copy`, storedBytes);
  sheet.add(other.backend, { requests: 1, egressBytes: other.stored_bytes });
  sheet.step('replace', `${key} on ${name}`, storedBytes);
}
