import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { s3CodeOf } from '../errors.ts';
import { abortUpload, forgetUploads } from '../ledger/uploads.ts';
import { inParallel } from './batches.ts';

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
  };
}

const idle = `select u.upload_id, u.created_at from uploads u where u.state = 'open' and u.created_at < ?
  and (u.created_at, u.upload_id) > (?, ?) and not exists (select 1 from object_parts p where p.content_id = u.upload_id
    and p.modified_at >= ?) order by u.created_at, u.upload_id limit ?`;

async function abandonIdle(
  { store, clock, onError }: UploadKeeperOptions,
  idleMsMax: number,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  let after: readonly [number, string] = [-1, ''];
  for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
    const beforeMs = clock.nowMs() - idleMsMax;
    const page = [beforeMs, ...after, beforeMs, batchSize];
    const rows = await store.read((reader) => reader.rows<{ upload_id: string; created_at: number }>(idle, page));
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
