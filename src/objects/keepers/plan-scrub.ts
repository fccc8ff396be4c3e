import type { KeeperPlan } from '../../kernel/keepers/keeper.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { type ScrubPosition, copiesToScrub, scrubBacklog, scrubPositionOf } from '../checking/scrub-queue.ts';
import { CostSheet } from './cost-sheet.ts';
import { whyNotScrubbed } from './scrub-backend.ts';
import type { ScrubOptions } from './scrub.ts';

const pageSize = 1_000;
/** So many pages of a backend are added up for a plan. */
const pagesMax = 20;

/** Where a run begins and ends. */
export interface ScrubSpan {
  /** Where the last run stopped, by backend. */
  readonly from: Readonly<Record<string, ScrubPosition | null>>;
  readonly dueBeforeMs: number;
  /** How long a run takes at most. */
  readonly runMsMax: number;
}

/**
 * The copies that a run would read within its time, at the rate that may be used of each backend, and how many are due in
 * all. Only reading tells which of them are damaged, and what healing those costs.
 */
export async function planScrub(options: ScrubOptions, span: ScrubSpan, signal: AbortSignal): Promise<KeeperPlan> {
  const { store, registry, intervalMs } = options;
  const sheet = new CostSheet();
  if (intervalMs === 0) return sheet.plan(() => 'It is switched off.', true);
  const due = { copies: 0, bytes: 0 };
  let isExact = true;
  for (const known of registry.all) {
    signal.throwIfAborted();
    const backlog = await store.read((reader) => scrubBacklog(reader, known.name, span.dueBeforeMs));
    due.copies += backlog.copies;
    due.bytes += backlog.bytes;
    const why = whyNotScrubbed(known);
    if (why === null) isExact = (await addBackend(options, known, span, sheet)) && isExact;
    else if (backlog.copies > 0) sheet.warn(`${known.name} ${why}: its ${backlog.copies} copies have to wait.`);
  }
  return sheet.plan(
    (count, sizeBytes) =>
      `${due.copies} copies wait for their turn, ${due.bytes} bytes. ${count} of them, ${sizeBytes} bytes, would be read in one run.`,
    isExact,
  );
}

/** Adds up what is read of a backend until the time of a run is used up. Gives whether all pages that it takes were seen. */
async function addBackend(
  { store, rate }: ScrubOptions,
  { name }: KnownBackend,
  { from, dueBeforeMs, runMsMax }: ScrubSpan,
  sheet: CostSheet,
): Promise<boolean> {
  let after = from[name] ?? null;
  let requests = 0;
  let bytes = 0;
  for (let count = 0; count < pagesMax; count++) {
    const page = { after, limit: pageSize };
    const rows = await store.read((reader) => copiesToScrub(reader, { backend: name, beforeMs: dueBeforeMs }, page));
    for (const row of rows) {
      // A copy is begun as long as there is time.
      const seconds = Math.max(requests / rate.requestsPerSecond, bytes / rate.bytesPerSecond);
      if (seconds * 1_000 > runMsMax) return true;
      requests++;
      bytes += row.stored_bytes;
      sheet.add(name, { requests: 1, egressBytes: row.stored_bytes });
      sheet.step('read', `${row.storage_key} on ${name}`, row.stored_bytes);
      after = scrubPositionOf(row);
    }
    if (rows.length < pageSize) return true;
  }
  return false;
}
