import type { ErrorData } from '../errors/errors.ts';
import type { Tx } from '../store/store.ts';
import { type Call, transaction } from '../store/transaction.ts';
import type { Ownership } from './journal.ts';
import type { RunData } from './start.ts';

export interface FinishParams {
  readonly own: Ownership;
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly output: string | null;
  readonly error: ErrorData | null;
  readonly commit: Call | null;
  readonly nowMs: number;
}

/** `next` is the operation that waited longest for the resource; it belongs to the finisher now. */
export type FinishResult = { readonly isLost: true } | { readonly isLost: false; readonly next: RunData | null };

const finish = `update operations set status = ?, output = ?, error = ?, finished_at = ?, version = version + 1
  where id = ? and owner = ? and fence = ? and status = 'executing' returning resource`;

/** Ends a run, writes the domain's last word and hands the resource to the next in line, in one commit. */
export const finishOperation = transaction(
  import.meta.url,
  'finishOperation',
  async (tx, params: FinishParams): Promise<FinishResult> => {
    const { own, status, output, error, commit, nowMs } = params;
    const [finished] = await tx.rows<{ resource: string }>(finish, [
      status,
      output,
      error === null ? null : JSON.stringify(error),
      nowMs,
      own.operationId,
      own.owner,
      own.fence,
    ]);
    if (finished === undefined) return { isLost: true };
    if (commit !== null) await tx.call(commit);
    return { isLost: false, next: await passOn(tx, finished.resource, own.operationId, own.owner, nowMs) };
  },
);

const release = `update resource_locks set operation_id = null where resource = ? and operation_id = ? returning waiting`;

/** Frees the resource; when others wait, the first of them gets it. */
export async function passOn(
  tx: Tx,
  resource: string,
  holder: string,
  owner: string,
  nowMs: number,
): Promise<RunData | null> {
  const [lock] = await tx.rows<{ waiting: number }>(release, [resource, holder]);
  if (lock === undefined || lock.waiting === 0) return null;
  return takeNext(tx, resource, owner, nowMs);
}

const next = `select id, kind, input, actor, cancel_requested, created_at, traceparent from operations
  where resource = ? and status = 'pending' order by ticket limit 1`;

/**
 * Gives a free resource, whose lock row this transaction holds, to the operation that waited longest. It is a second
 * statement on purpose: one statement would look at a snapshot from before the lock and could miss the newest in line.
 */
export async function takeNext(tx: Tx, resource: string, owner: string, nowMs: number): Promise<RunData | null> {
  const [row] = await tx.rows<{
    id: string;
    kind: string;
    input: string;
    actor: string;
    cancel_requested: number;
    created_at: number;
    traceparent: string | null;
  }>(next, [resource]);
  if (row === undefined) {
    await tx.run('update resource_locks set waiting = 0 where resource = ?', [resource]);
    return null;
  }
  const [lock] = await tx.rows<{ fence: number }>(
    'update resource_locks set operation_id = ?, fence = fence + 1, waiting = waiting - 1 where resource = ? returning fence',
    [row.id, resource],
  );
  const { fence } = lock!;
  await tx.run(
    `update operations set status = 'executing', owner = ?, fence = ?, started_at = ?, version = version + 1 where id = ?`,
    [owner, fence, nowMs, row.id],
  );
  const { id, kind, actor, traceparent } = row;
  const isCancelRequested = row.cancel_requested === 1;
  const input: unknown = JSON.parse(row.input);
  return {
    id,
    kind,
    resource,
    input,
    fence,
    actor,
    takeovers: 0,
    isCancelRequested,
    createdAtMs: row.created_at,
    traceparent,
  };
}
