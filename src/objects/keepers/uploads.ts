import type { Clock } from '../../kernel/ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import { s3CodeOf } from '../errors.ts';
import { abortUpload, forgetUploads, forgettableUploads } from '../ledger/uploads.ts';
import type { CopyRow, PartRow, UploadRow } from '../tables.ts';
import { inParallel } from './batches.ts';
import { CostSheet } from './cost-sheet.ts';

const batchSize = 500;
const batchesMax = 200;
/** How long the answer to a completion is kept: far beyond the last retry of any client. */
const rememberedMs = 7 * 86_400_000;

export interface UploadKeeperOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly periodMs: number;
  /** How long an open upload may be without a new part; `null` for ever. */
  readonly idleMsMax: number | null;
  onError(error: unknown, about: string): void;
}

/** Gives up open uploads that nobody goes on with, and forgets completed ones, which only answer to a repeated completion. */
export function uploadKeeper(options: UploadKeeperOptions): Keeper {
  const { store, clock, periodMs, idleMsMax } = options;
  return {
    name: 'object-uploads',
    summary: 'Gives up uploads that nobody goes on with, and forgets those that were completed a week ago.',
    periodMs,
    run: async (signal) => {
      const abandoned = idleMsMax === null ? 0 : await abandonIdle(options, idleMsMax, signal);
      let forgotten = 0;
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const finishedBeforeMs = clock.nowMs() - rememberedMs;
        const count = await store.write(forgetUploads, { finishedBeforeMs, limit: batchSize });
        forgotten += count;
        if (count < batchSize) break;
      }
      return `${abandoned} open uploads given up, ${forgotten} completed uploads forgotten`;
    },
    plan: (signal) => plan(options, signal),
  };
}

const fromFirst: readonly [number, string] = [-1, ''];
const idle = `select u.* from uploads u where u.state = 'open' and u.created_at < ?
  and (u.created_at, u.upload_id) > (?, ?) and not exists (select 1 from object_parts p where p.content_id = u.upload_id
    and p.modified_at >= ?) order by u.created_at, u.upload_id limit ?`;

/** Open uploads without a part since a time, the oldest first, from after one of them on. */
function idleUploads(
  reader: Reader,
  beforeMs: number,
  { after, limit }: { readonly after: readonly [number, string]; readonly limit: number },
): Promise<UploadRow[]> {
  return reader.rows<UploadRow>(idle, [beforeMs, ...after, beforeMs, limit]);
}

async function abandonIdle(
  { store, clock, onError }: UploadKeeperOptions,
  idleMsMax: number,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  let after = fromFirst;
  for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
    const beforeMs = clock.nowMs() - idleMsMax;
    const page = { after, limit: batchSize };
    const rows = await store.read((reader) => idleUploads(reader, beforeMs, page));
    await inParallel(rows, signal, async ({ upload_id: uploadId }) => {
      try {
        if (await store.write(abortUpload, { uploadId, idleSinceMs: beforeMs, nowMs: clock.nowMs() })) count++;
      } catch (error) {
        // It was completed or given up meanwhile.
        if (s3CodeOf(error) !== 'NoSuchUpload') onError(error, `the upload ${uploadId} was not given up`);
      }
    });
    const last = rows.at(-1);
    if (last === undefined || rows.length < batchSize) break;
    after = [last.created_at, last.upload_id];
  }
  return count;
}

const partsOf = 'select * from object_parts where content_id = ?';
const copiesOf = 'select * from copies where content_id = ?';

/** Uploads that would be given up or forgotten. The bytes of the first are queued for deletion, each copy for one request. */
async function plan({ store, clock, idleMsMax }: UploadKeeperOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const limit = planStepsMax + 1;
  const [nowMs, page] = [clock.nowMs(), { after: fromFirst, limit }];
  const abandoned =
    idleMsMax === null ? [] : await store.read((reader) => idleUploads(reader, nowMs - idleMsMax, page));
  const completed = { finishedBeforeMs: nowMs - rememberedMs, limit };
  const forgotten = await store.read((reader) => forgettableUploads(reader, completed));
  const sheet = new CostSheet();
  for (const { upload_id: uploadId, bucket, object_key: key } of abandoned.slice(0, planStepsMax)) {
    signal.throwIfAborted();
    const { parts, copies } = await store.read(async (reader) => ({
      parts: await reader.rows<PartRow>(partsOf, [uploadId]),
      copies: await reader.rows<CopyRow>(copiesOf, [uploadId]),
    }));
    const sizeBytes = parts.reduce((sum, part) => sum + part.size_bytes, 0);
    sheet.step('give up', `the upload ${uploadId} of ${bucket}/${key}`, sizeBytes);
    for (const { backend } of copies) sheet.add(backend, { requests: 1 });
  }
  for (const uploadId of forgotten.slice(0, planStepsMax)) sheet.step('forget', `the completed upload ${uploadId}`, 0);
  const isExact = abandoned.length <= planStepsMax && forgotten.length <= planStepsMax;
  return sheet.plan((count) => `${count} uploads would be given up or forgotten.`, isExact);
}
