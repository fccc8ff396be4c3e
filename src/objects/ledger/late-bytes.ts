import type { Tx } from '../../kernel/store/store.ts';
import type { DisposalReason } from './dispose.ts';
import { bookBytes } from './stripes.ts';

/** Bytes of a write on one backend. */
export interface WrittenBytes {
  readonly backend: string;
  readonly storageKey: string;
  readonly storedBytes: number;
}

const lookAgain = 'update cleanup set is_uncertain = 1 where backend = ? and storage_key = ?';
const enqueue = `insert into cleanup (backend, storage_key, stored_bytes, reason, state, due_at, attempts, is_uncertain,
    claimed_until, created_at)
  select b.name, ?, ?, ?, 'waiting', ?, 0, 1, 0, ? from object_backends b where b.name = ? and not exists
    (select 1 from copies c where c.backend = b.name and c.storage_key = ?) on conflict (backend, storage_key) do nothing`;

/**
 * Has bytes deleted whose intent is gone: their writer was taken for dead while it was only slow, they came after they were
 * deleted, and they are on nobody's books. Does nothing when they belong to a copy.
 */
export async function disposeLate(
  tx: Tx,
  { backend, storageKey, storedBytes }: WrittenBytes,
  reason: DisposalReason,
  nowMs: number,
): Promise<void> {
  // What waits for deletion may have been deleted just before they came.
  if ((await tx.run(lookAgain, [backend, storageKey])) > 0) return;
  const values = [storageKey, storedBytes, reason, nowMs, nowMs, backend, storageKey];
  if ((await tx.run(enqueue, values)) > 0) await bookBytes(tx, [{ backend, storageKey, bytes: storedBytes }]);
}
