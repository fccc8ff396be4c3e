import type { Tx } from '../../kernel/store/store.ts';

/**
 * When a copy is owed already, somebody may be working on it who has not seen what is owed now: taking the claim away has
 * the work begin again when that one ends.
 */
export const owedAlready = 'on conflict (content_id, part) do update set due_at = excluded.due_at, claimed_by = null';

const owe = `insert into shortfalls (content_id, part, bucket, due_at, attempts, claimed_until, created_at)
  select content_id, part, ?, ?, 0, 0, ? from copies where content_id = ? group by content_id, part ${owedAlready}`;

/** Says that all parts of a content may stand where they do not belong, so that the replicator looks at each. */
export async function oweMoving(tx: Tx, contentId: string, bucket: string, nowMs: number): Promise<void> {
  await tx.run(owe, [bucket, nowMs, nowMs, contentId]);
}
