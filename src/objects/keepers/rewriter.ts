import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { advanceRewrite, forgetIncompressible } from '../ledger/rewrites.ts';
import { abortUpload } from '../ledger/uploads.ts';
import { rewriteOwner } from '../object.ts';
import { findBucket } from '../queries/queries.ts';
import { type RewriteOptions, planFor, rewriteContent } from '../rewriting/rewrite-content.ts';
import type { RewriteAction } from '../rewriting/plan.ts';
import { toVersion } from '../rows.ts';
import type { ObjectRow, RewriteRow } from '../tables.ts';
import { inParallel } from './batches.ts';

const batchSize = 64;
const batchesMax = 10_000;
/** How long one content may take that is read and written at a slow backend's pace. */
const bytesPerMs = 1_000;
const contentTimeoutMs = 120_000;

const page = `select distinct content_id from objects where content_id > ? and is_marker = 0 order by content_id limit ?`;
const pageOfBucket = `select distinct content_id from objects where content_id > ? and is_marker = 0 and bucket = ?
  order by content_id limit ?`;
const running = `select * from rewrites where state = 'running'`;

/** Goes over what stands and writes anew what is to have another form, some at a time; it goes on where it was. */
export function rewriteKeeper(options: RewriteOptions, periodMs: number): Keeper {
  const { store, clock } = options;
  return {
    name: 'object-rewriter',
    summary: 'Encrypts, decrypts, re-keys or compresses objects that stand, when it was asked to.',
    periodMs,
    run: async (signal) => {
      const [row] = await store.read((reader) => reader.rows<RewriteRow>(running, []));
      if (row === undefined) return 'nothing was asked for';
      await endAbandoned(options);
      let { reached } = row;
      let rewritten = 0;
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const contents = await pageAfter(options, row.bucket, reached, batchSize);
        const tally = await rewriteAll(options, row.action as RewriteAction, contents, signal);
        // What was not looked at is looked at again, when this process ends in the middle.
        if (signal.aborted) break;
        rewritten += tally.rewritten;
        reached = contents.at(-1) ?? reached;
        const isFinished = contents.length < batchSize;
        if (isFinished) await store.write(forgetIncompressible, {});
        const progress = { id: row.id, reached, seen: contents.length, ...tally, isFinished, nowMs: clock.nowMs() };
        if (!(await store.write(advanceRewrite, progress))) break;
      }
      return `${rewritten} contents written anew`;
    },
  };
}

async function pageAfter(
  { store }: Pick<RewriteOptions, 'store'>,
  bucket: string | null,
  after: string,
  limit: number,
): Promise<string[]> {
  const rows = await store.read((reader) =>
    bucket === null
      ? reader.rows<{ content_id: string }>(page, [after, limit])
      : reader.rows<{ content_id: string }>(pageOfBucket, [after, bucket, limit]),
  );
  return rows.map(({ content_id: contentId }) => contentId);
}

async function rewriteAll(
  options: RewriteOptions,
  action: RewriteAction,
  contents: readonly string[],
  signal: AbortSignal,
) {
  const tally = { rewritten: 0, rewrittenBytes: 0, failed: 0, lastError: null as string | null };
  await inParallel(contents, signal, async (contentId) => {
    try {
      const sizeBytes = await sizeOf(options, contentId);
      const limits = AbortSignal.timeout(contentTimeoutMs + Math.ceil(sizeBytes / bytesPerMs));
      const bytes = await rewriteContent(options, action, contentId, AbortSignal.any([signal, limits]));
      if (bytes === null) return;
      tally.rewritten++;
      tally.rewrittenBytes += bytes;
    } catch (error) {
      tally.failed++;
      tally.lastError = `${contentId}: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500);
    }
  });
  return tally;
}

async function sizeOf({ store }: RewriteOptions, contentId: string): Promise<number> {
  const statement = 'select size_bytes from objects where content_id = ? limit 1';
  const [row] = await store.read((reader) => reader.rows<{ size_bytes: number }>(statement, [contentId]));
  return Number(row?.size_bytes ?? 0);
}

/** Parts that a pass wrote which ended without a word. */
async function endAbandoned({ store, clock }: RewriteOptions): Promise<void> {
  const statement = `select upload_id from uploads where owner = ? and state = 'open'`;
  const rows = await store.read((reader) => reader.rows<{ upload_id: string }>(statement, [rewriteOwner]));
  for (const { upload_id: uploadId } of rows) await store.write(abortUpload, { uploadId, nowMs: clock.nowMs() });
}

/** What a pass would do. */
export interface RewritePlan {
  readonly contents: number;
  readonly bytes: number;
  /** Some of the objects, as `bucket/key`. */
  readonly sample: readonly string[];
  /** Whether there was more than is looked at for a plan. */
  readonly isPartial: boolean;
}

const plannedMax = 100_000;
const sampleMax = 20;

/** Says what a pass would write anew, from the ledger alone; whether something shrinks is not known before it is read. */
export async function planPass(
  options: Pick<RewriteOptions, 'store' | 'encryption'>,
  action: RewriteAction,
  bucket: string | null,
): Promise<RewritePlan> {
  const { store } = options;
  const plan = { contents: 0, bytes: 0, sample: [] as string[] };
  let after = '';
  for (let seen = 0; seen < plannedMax; seen += batchSize) {
    const contents = await pageAfter(options, bucket, after, batchSize);
    for (const contentId of contents) {
      const found = await store.read(async (reader) => {
        const [row] = await reader.rows<ObjectRow>('select * from objects where content_id = ? limit 1', [contentId]);
        return row === undefined ? null : { row, bucket: await findBucket(reader, row.bucket) };
      });
      if (found?.bucket == null) continue;
      const version = toVersion(found.row);
      if ((await planFor(options, action, version, found.bucket.settings)) === null) continue;
      plan.contents++;
      plan.bytes += version.sizeBytes;
      if (plan.sample.length < sampleMax) plan.sample.push(`${version.bucket}/${version.key}`);
    }
    if (contents.length < batchSize) return { ...plan, isPartial: false };
    after = contents.at(-1)!;
  }
  return { ...plan, isPartial: true };
}
