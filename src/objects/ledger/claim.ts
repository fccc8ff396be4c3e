import { transaction } from '../../kernel/store/transaction.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { bookBytes } from './stripes.ts';

export interface Claim {
  readonly writeId: string;
  readonly storageKey: string;
  readonly storedBytes: number;
  /** The object's own bytes, for the limit of a backend on them. */
  readonly sizeBytes: number;
  /** Backends in order of preference. */
  readonly candidates: readonly string[];
  /** How many of them to claim. */
  readonly count: number;
  readonly owner: string;
  readonly nowMs: number;
}

const admit = `insert into intents (write_id, backend, storage_key, stored_bytes, owner, created_at)
  select ?, b.name, ?, ?, ?, ? from object_backends b
  where b.name = ? and b.state = 'active' and (b.object_bytes_max is null or b.object_bytes_max >= ?)
    and (b.quota_bytes is null or b.quota_bytes >= ? +
      (select coalesce(sum(s.used_bytes), 0) from backend_stripes s where s.backend = b.name))`;

const quota = `select b.quota_bytes, (select coalesce(sum(s.used_bytes), 0) from backend_stripes s where s.backend = b.name)
  as used_bytes from object_backends b where b.name = ? and b.quota_bytes is not null`;

/**
 * Claims room for a write on up to `count` backends and records that bytes may come to stand there: one conditional
 * insert a backend, which also asks whether the backend still takes writes, so that draining one cannot be raced.
 * Gives the backends that were claimed, in order of preference; fewer than `count` when there was no more room.
 */
export const claimRoom = transaction(import.meta.url, 'claimRoom', async (tx, claim: Claim): Promise<string[]> => {
  const { writeId, storageKey, storedBytes, sizeBytes, candidates, count, owner, nowMs } = claim;
  await lockNearlyFull(tx, claim);
  const claimed: string[] = [];
  for (const backend of candidates) {
    if (claimed.length === count) break;
    const values = [writeId, storageKey, storedBytes, owner, nowMs, backend, sizeBytes, storedBytes];
    if ((await tx.run(admit, values)) === 1) claimed.push(backend);
  }
  await bookBytes(
    tx,
    claimed.map((backend) => ({ backend, storageKey, bytes: storedBytes })),
  );
  return claimed;
});

/**
 * Two transactions at once do not see each other's claims. Where there is plenty of room that does no harm; where there is
 * little, they take turns, so that a quota is never passed.
 */
async function lockNearlyFull(tx: Tx, { candidates, storedBytes }: Claim): Promise<void> {
  const nearlyFull: string[] = [];
  for (const backend of candidates) {
    const [row] = await tx.rows<{ quota_bytes: number; used_bytes: number | string }>(quota, [backend]);
    if (row === undefined) continue;
    const freeBytes = row.quota_bytes - Number(row.used_bytes);
    if (freeBytes < Math.max(row.quota_bytes / 10, 256 * storedBytes)) nearlyFull.push(backend);
  }
  for (const backend of nearlyFull.sort()) await tx.lock(`object-backend-quota:${backend}`);
}
