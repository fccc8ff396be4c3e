import { transaction } from '../../kernel/store/transaction.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { type ByteDelta, bookBytes, stripeCount, stripeOf } from './stripes.ts';

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
  /** How few are of no use, so that none is kept then; 1 when it is absent. */
  readonly needed?: number;
  readonly owner: string;
  readonly nowMs: number;
}

const admit = `insert into intents (write_id, backend, storage_key, stored_bytes, owner, created_at)
  select ?, b.name, ?, ?, ?, ? from object_backends b
  where b.name = ? and b.state = 'active' and (b.object_bytes_max is null or b.object_bytes_max >= ?)
    and (b.quota_bytes is null or b.quota_bytes >= ? +
      (select coalesce(sum(s.used_bytes), 0) from backend_stripes s where s.backend = b.name))`;

const quotas = `select b.name, b.quota_bytes, (select coalesce(sum(s.used_bytes), 0) from backend_stripes s
  where s.backend = b.name) as used_bytes from object_backends b where b.quota_bytes is not null`;

/**
 * Claims room for a write on up to `count` backends and records that bytes may come to stand there: one conditional
 * insert a backend, which also asks whether the backend still takes writes, so that draining one cannot be raced.
 * Gives the backends that had room, in order of preference; when they are fewer than `needed`, nothing was claimed.
 */
export const claimRoom = transaction(import.meta.url, 'claimRoom', async (tx, claim: Claim): Promise<string[]> => {
  const { writeId, storageKey, storedBytes, sizeBytes, candidates, count, needed = 1, owner, nowMs } = claim;
  const reserves = await takeTurns(tx, claim);
  const claimed: string[] = [];
  for (const backend of candidates) {
    if (claimed.length === count) break;
    const reserveBytes = reserves.get(backend) ?? 0;
    if (reserveBytes === 'full') continue;
    const values = [writeId, storageKey, storedBytes, owner, nowMs, backend, sizeBytes, storedBytes + reserveBytes];
    if ((await tx.run(admit, values)) === 1) claimed.push(backend);
  }
  if (claimed.length < needed) {
    if (claimed.length > 0) await tx.run('delete from intents where write_id = ?', [writeId]);
    return claimed;
  }
  await bookBytes(
    tx,
    claimed.map((backend) => ({ backend, storageKey, bytes: storedBytes })),
  );
  return claimed;
});

/** What is claimed of one backend in one commit. */
export interface ClaimMany {
  readonly backend: string;
  readonly writes: readonly Pick<Claim, 'writeId' | 'storageKey' | 'storedBytes' | 'sizeBytes'>[];
  readonly owner: string;
  readonly nowMs: number;
}

/** Claims room for many writes on one backend, as far as it has some; gives the ids of those that were admitted. */
export async function claimMany(tx: Tx, { backend, writes, owner, nowMs }: ClaimMany): Promise<string[]> {
  const [limited] = await tx.rows('select 1 from object_backends where name = ? and quota_bytes is not null', [
    backend,
  ]);
  if (limited !== undefined) for (const turn of turnsOf(backend)) await tx.lock(turn);
  const admitted: string[] = [];
  const deltas: ByteDelta[] = [];
  let claimedBytes = 0;
  for (const write of writes) {
    const { writeId, storageKey, sizeBytes } = write;
    // What was admitted before it is not on the books yet.
    const neededBytes = claimedBytes + write.storedBytes;
    const values = [writeId, storageKey, write.storedBytes, owner, nowMs, backend, sizeBytes, neededBytes];
    if ((await tx.run(admit, values)) !== 1) continue;
    admitted.push(writeId);
    deltas.push({ backend, storageKey, bytes: write.storedBytes });
    claimedBytes = neededBytes;
  }
  await bookBytes(tx, deltas);
  return admitted;
}

/** Claims of more than this on their own backend are large, in bytes. */
const smallBytesMax = 64 * 1024 ** 2;

/**
 * Two transactions at once do not see each other's claims, and a quota must not be passed all the same. Small claims, where
 * there is room, exclude only those that are counted in the same stripe, for which they would wait anyway: so there are at
 * most as many unseen ones as stripes, and each leaves that much room free. Large claims, and all where there is little
 * room, exclude every other. Gives how much room a claim must leave on backends with a quota.
 */
async function takeTurns(
  tx: Tx,
  { candidates, storedBytes, storageKey }: Claim,
): Promise<ReadonlyMap<string, number | 'full'>> {
  const reserves = new Map<string, number | 'full'>();
  const turns: string[] = [];
  for (const row of await tx.rows<{ name: string; quota_bytes: number; used_bytes: number | string }>(quotas, [])) {
    if (!candidates.includes(row.name)) continue;
    const freeBytes = row.quota_bytes - Number(row.used_bytes);
    const smallBytes = Math.min(smallBytesMax, Math.floor(row.quota_bytes / (20 * stripeCount)));
    const reserveBytes = smallBytes * stripeCount;
    if (freeBytes < storedBytes) reserves.set(row.name, 'full');
    else if (storedBytes <= smallBytes && freeBytes >= 2 * reserveBytes) {
      reserves.set(row.name, reserveBytes);
      turns.push(turnOf(row.name, stripeOf(storageKey)));
    } else turns.push(...turnsOf(row.name));
  }
  for (const turn of turns.sort()) await tx.lock(turn);
  return reserves;
}

/** All of a backend: whoever has them claims alone. */
function turnsOf(backend: string): string[] {
  return Array.from({ length: stripeCount }, (_, stripe) => turnOf(backend, stripe));
}

function turnOf(backend: string, stripe: number): string {
  return `object-backend-room:${backend}/${String(stripe).padStart(2, '0')}`;
}
