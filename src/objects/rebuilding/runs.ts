import { appendEvent } from '../../kernel/events/event.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { RebuildReport } from './report.ts';
import type { RebuildWish } from './wish.ts';

/** A rebuild that was asked for. */
export interface RebuildRun {
  readonly id: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly wish: RebuildWish;
  readonly report: RebuildReport | null;
  readonly error: string | null;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
}

interface RunRow {
  readonly id: string;
  readonly state: RebuildRun['state'];
  readonly wish: string;
  readonly report: string | null;
  readonly error: string | null;
  readonly created_at: number;
  readonly finished_at: number | null;
}

/** The one under way, or the last one. */
export async function latestRebuild(reader: Reader): Promise<RebuildRun | null> {
  const [row] = await reader.rows<RunRow>('select * from rebuilds order by created_at desc, id desc limit 1', []);
  if (row === undefined) return null;
  const { id, state, error, created_at: createdAtMs, finished_at: finishedAtMs } = row;
  const report = row.report === null ? null : (JSON.parse(row.report) as RebuildReport);
  return { id, state, wish: JSON.parse(row.wish) as RebuildWish, report, error, createdAtMs, finishedAtMs };
}

export interface BeginRebuild {
  readonly id: string;
  readonly wish: RebuildWish;
  readonly actor: string;
  readonly nowMs: number;
}

/**
 * Enters the wish for a rebuild. Throws `conflict` when one is under way, or the ledger has objects and not only what is
 * missing is wished for.
 */
export const beginRebuild = transaction(
  import.meta.url,
  'beginRebuild',
  async (tx, { id, wish, actor, nowMs }: BeginRebuild): Promise<void> => {
    await tx.lock('object-rebuild');
    const running = await tx.rows(`select 1 from rebuilds where state = 'running'`, []);
    if (running.length > 0) throw new HoldfastError('conflict', 'A rebuild is under way; wait for its end.');
    if (!wish.isMissingOnly && (await tx.rows('select 1 from objects limit 1', [])).length > 0) throw ledgerNotEmpty();
    await tx.run(`insert into rebuilds (id, state, wish, actor, created_at) values (?, 'running', ?, ?, ?)`, [
      id,
      JSON.stringify(wish),
      actor,
      nowMs,
    ]);
  },
);

export function ledgerNotEmpty(): HoldfastError {
  const message = 'The ledger has objects. Ask for what is missing only, which leaves them as they are.';
  return new HoldfastError('conflict', message, { field: 'missing' });
}

export interface EndRebuild {
  readonly id: string;
  readonly report: RebuildReport | null;
  readonly error: string | null;
  readonly nowMs: number;
}

const end = `update rebuilds set state = ?, report = ?, error = ?, finished_at = ? where id = ? and state = 'running'`;

export const endRebuild = transaction(
  import.meta.url,
  'endRebuild',
  async (tx, { id, report, error, nowMs }: EndRebuild): Promise<void> => {
    const state = error === null ? 'done' : 'failed';
    const text = report === null ? null : JSON.stringify(report);
    if ((await tx.run(end, [state, text, error, nowMs, id])) === 0) return;
    const { findings: _, ...counts } = report ?? { findings: [] };
    await appendEvent(tx, {
      resource: `rebuild:${id}`,
      type: error === null ? 'ledger.rebuilt' : 'ledger.rebuild_failed',
      data: { ...counts, ...(error === null ? {} : { error }) },
      operationId: null,
      actor: 'holdfast',
      createdAtMs: nowMs,
    });
  },
);
