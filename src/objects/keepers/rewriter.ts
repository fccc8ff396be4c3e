import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { advanceRewrite, forgetIncompressible, runningRewrite } from '../ledger/rewrites.ts';
import { abortUpload } from '../ledger/uploads.ts';
import { rewriteOwner } from '../object.ts';
import { contentsAfter } from '../rewriting/demands.ts';
import { type RewriteOptions, rewriteContent } from '../rewriting/rewrite-content.ts';
import type { RewriteAction } from '../rewriting/plan.ts';
import { inParallel } from './batches.ts';
import { planRewriter } from './plan-rewriter.ts';

const batchSize = 64;
const batchesMax = 10_000;
/** How long one content may take that is read and written at a slow backend's pace. */
const bytesPerMs = 1_000;
const contentTimeoutMs = 120_000;

/** Goes over what stands and writes anew what is to have another form, some at a time; it goes on where it was. */
export function rewriteKeeper(options: RewriteOptions, periodMs: number): Keeper {
  const { store, clock } = options;
  return {
    name: 'object-rewriter',
    summary: 'Encrypts, decrypts, re-keys or compresses objects that stand, when it was asked to.',
    periodMs,
    run: async (signal) => {
      const row = await store.read(runningRewrite);
      if (row === null) return 'nothing was asked for';
      await endAbandoned(options);
      let { reached } = row;
      let rewritten = 0;
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const contents = await contentsAfter(store, row.bucket, reached, batchSize);
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
    plan: (signal) => planRewriter(options, signal),
  };
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
