import type { Store } from '../../kernel/store/store.ts';
import type { BlobFacts } from '../backends/backend.ts';
import { probePrefix } from '../backends/management/probe.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { isOwned } from '../checking/compare.ts';
import { ownPrefix } from '../encryption/key-blobs.ts';
import { inParallel } from '../keepers/batches.ts';
import type { CopyRow } from '../tables.ts';
import { listBelow } from './backup-place.ts';
import { type DescribeOptions, type DescribedBlob, describeBlob } from './describe-blob.ts';
import { type RebuildReport, tell } from './report.ts';
import { stageBlobs } from './stage.ts';

export interface SurveyOptions extends DescribeOptions {
  readonly store: Store;
  readonly report: RebuildReport;
  onBlobs(blobs: number): void;
}

const pageSize = 200;

/** Goes through all blobs of a backend, and gathers those that are copies. Throws when the backend cannot be listed or read. */
export async function surveyBackend(place: KnownBackend, options: SurveyOptions): Promise<void> {
  let page: BlobFacts[] = [];
  for await (const blob of listBelow(place.backend, '', options.signal)) {
    if (blob.key.startsWith(ownPrefix) || blob.key.startsWith(probePrefix)) continue;
    page.push(blob);
    if (page.length < pageSize) continue;
    await surveyPage(place, page, options);
    page = [];
  }
  await surveyPage(place, page, options);
}

async function surveyPage(place: KnownBackend, page: readonly BlobFacts[], options: SurveyOptions): Promise<void> {
  if (page.length === 0) return;
  const { store, report, signal } = options;
  const keys = page.map(({ key }) => key);
  const sizes = await toldSizes(store, place.name, keys);
  const queued = await queuedKeys(store, place.name, keys);
  const wanted = page.filter(({ key }) => !queued.has(key));
  const known = wanted.filter((blob) => sizes.get(blob.key) === blob.sizeBytes).map(({ key }) => key);
  const others = wanted.filter((blob) => sizes.get(blob.key) !== blob.sizeBytes);
  const described: DescribedBlob[] = [];
  let failure: { readonly error: unknown } | null = null;
  await inParallel(others, signal, async (blob) => {
    try {
      // What a write of now has put there is in the ledger already.
      if (failure !== null || (await store.read((reader) => isOwned(reader, place.name, blob.key)))) return;
      const found = await describeBlob(place, blob, options);
      if (found !== null) described.push(found);
      else {
        report.unknown++;
        tell(report, 'unknown', `${blob.key} on ${place.name} (${blob.sizeBytes} bytes) has no valid description.`);
      }
    } catch (error) {
      failure ??= { error };
    }
  });
  signal.throwIfAborted();
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
  await store.write(stageBlobs, { backend: place.name, known, described });
  report.blobs += page.length;
  options.onBlobs(report.blobs);
}

/** How long the blobs among these are that a version of the backup is made of; they need not be asked what they are. */
async function toldSizes(store: Store, backend: string, keys: readonly string[]): Promise<Map<string, number>> {
  const statement = `select told from rebuild_copies c where backend = ? and storage_key in (${marks(keys)})
    and exists (select 1 from rebuild_versions v where v.content_id = c.content_id)`;
  const rows = await store.read((reader) => reader.rows<{ told: string }>(statement, [backend, ...keys]));
  const copies = rows.map(({ told }) => JSON.parse(told) as CopyRow);
  return new Map(copies.map((row) => [row.storage_key, Number(row.stored_bytes)]));
}

/** Those that are deleted soon. */
async function queuedKeys(store: Store, backend: string, keys: readonly string[]): Promise<Set<string>> {
  const statement = `select storage_key from cleanup where backend = ? and storage_key in (${marks(keys)})`;
  const rows = await store.read((reader) => reader.rows<{ storage_key: string }>(statement, [backend, ...keys]));
  return new Set(rows.map((row) => row.storage_key));
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
