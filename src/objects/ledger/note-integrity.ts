import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import type { ObjectRow } from '../tables.ts';

/** Which bytes an event of integrity is about. */
export interface PartRef {
  readonly contentId: string;
  readonly part: number;
}

/** One of the objects that have a content, for telling people where it is; `null` when none has it any more. */
export async function objectOf(tx: Tx, contentId: string): Promise<Pick<ObjectRow, 'bucket' | 'object_key'> | null> {
  const statement = 'select bucket, object_key from objects where content_id = ? order by bucket, object_key limit 1';
  const [row] = await tx.rows<Pick<ObjectRow, 'bucket' | 'object_key'>>(statement, [contentId]);
  return row ?? null;
}

/** Writes what was found out about the bytes of a part, or that it is made good; its content is locked by the caller. */
export async function noteIntegrity(
  tx: Tx,
  type: 'integrity.corruption_detected' | 'integrity.healed',
  { contentId, part }: PartRef,
  detail: Readonly<Record<string, unknown>>,
  nowMs: number,
): Promise<void> {
  const object = await objectOf(tx, contentId);
  await tx.lock(`event:content:${contentId}`);
  await appendEvent(tx, {
    resource: `content:${contentId}`,
    type,
    data: { bucket: object?.bucket ?? null, key: object?.object_key ?? null, part, ...detail },
    operationId: null,
    actor: 'gateway',
    createdAtMs: nowMs,
  });
}
