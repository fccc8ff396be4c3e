import { appendEvent } from '../../kernel/events/event.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { objectError } from '../errors.ts';
import type { RewriteRow } from '../tables.ts';

const insert = `insert into rewrites (id, action, bucket, state, reached, seen, rewritten, rewritten_bytes, failed, actor,
  created_at) values (?, ?, ?, 'running', '', 0, 0, 0, 0, ?, ?)`;

export type NewRewrite = Pick<RewriteRow, 'id' | 'action' | 'bucket' | 'actor' | 'created_at'>;

/** The pass that is under way; `null` when there is none. */
export async function runningRewrite(reader: Pick<Reader, 'rows'>): Promise<RewriteRow | null> {
  const [row] = await reader.rows<RewriteRow>(`select * from rewrites where state = 'running'`, []);
  return row ?? null;
}

/** Begins a pass over what stands. There is one at a time: two would write each other's results anew. */
export const startRewrite = transaction(
  import.meta.url,
  'startRewrite',
  async (tx, { id, action, bucket, actor, created_at: nowMs }: NewRewrite): Promise<RewriteRow> => {
    await tx.lock('rewrites');
    const running = await runningRewrite(tx);
    if (running !== null) {
      const message = `A pass (${running.action}) is under way; cancel it, or wait for its end.`;
      throw objectError('OperationAborted', { rewrite: running.id }, message);
    }
    await tx.run(insert, [id, action, bucket, actor, nowMs]);
    const [row] = await tx.rows<RewriteRow>('select * from rewrites where id = ?', [id]);
    return row!;
  },
);

export interface RewriteProgress {
  readonly id: string;
  /** The last content that was looked at. */
  readonly reached: string;
  readonly seen: number;
  readonly rewritten: number;
  readonly rewrittenBytes: number;
  readonly failed: number;
  readonly lastError: string | null;
  readonly isFinished: boolean;
  readonly nowMs: number;
}

const advance = `update rewrites set reached = ?, seen = seen + ?, rewritten = rewritten + ?,
  rewritten_bytes = rewritten_bytes + ?, failed = failed + ?, last_error = coalesce(?, last_error), state = ?,
  finished_at = ? where id = ? and state = 'running'`;

/** Notes how far a pass has come. Gives whether it goes on: it may have been cancelled. */
export const advanceRewrite = transaction(
  import.meta.url,
  'advanceRewrite',
  async (tx, progress: RewriteProgress): Promise<boolean> => {
    const { id, reached, seen, rewritten, rewrittenBytes, failed, lastError, isFinished, nowMs } = progress;
    const end = isFinished ? ['completed', nowMs] : ['running', null];
    const values = [reached, seen, rewritten, rewrittenBytes, failed, lastError, ...end, id];
    if ((await tx.run(advance, values)) === 0) return false;
    if (!isFinished) return true;
    const [row] = await tx.rows<RewriteRow>('select * from rewrites where id = ?', [id]);
    await appendEvent(tx, {
      resource: `rewrite:${id}`,
      type: 'rewrite.completed',
      data: { action: row!.action, bucket: row!.bucket, rewritten: row!.rewritten, failed: row!.failed },
      operationId: null,
      actor: row!.actor,
      createdAtMs: nowMs,
    });
    return false;
  },
);

/** Ends the pass that is under way; what it has done stays. Gives whether there was one. */
export const cancelRewrite = transaction(
  import.meta.url,
  'cancelRewrite',
  async (tx, { nowMs }: { readonly nowMs: number }): Promise<boolean> => {
    const statement = `update rewrites set state = 'cancelled', finished_at = ? where state = 'running'`;
    return (await tx.run(statement, [nowMs])) > 0;
  },
);

/** Passes, the newest first. */
export async function listRewrites(reader: Reader, limit: number): Promise<RewriteRow[]> {
  return reader.rows<RewriteRow>('select * from rewrites order by created_at desc, id desc limit ?', [limit]);
}

export const noteIncompressible = transaction(
  import.meta.url,
  'noteIncompressible',
  async (tx, { contentId }: { readonly contentId: string }): Promise<void> => {
    await tx.run('insert into incompressible (content_id) values (?) on conflict (content_id) do nothing', [contentId]);
  },
);

/** Forgets contents that are gone. */
export const forgetIncompressible = transaction(import.meta.url, 'forgetIncompressible', async (tx): Promise<number> =>
  tx.run(
    `delete from incompressible where not exists (select 1 from copies c where c.content_id = incompressible.content_id)`,
    [],
  ),
);
