import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { CleanupRow } from '../tables.ts';
import { bookBytes } from './stripes.ts';

/** Attempts before a deletion is a dead letter: about five days of trying. */
export const cleanupAttemptsMax = 20;

export interface ClaimCleanup {
  readonly owner: string;
  readonly limit: number;
  readonly nowMs: number;
  readonly leaseMs: number;
}

const isDue = `state = 'waiting' and due_at <= ? and claimed_until <= ?`;
const inTurn = 'order by due_at, id limit ?';

/** Deletions whose turn it is and that nobody is at, in the order in which they are taken. */
export function dueCleanup(
  reader: Reader,
  { nowMs, limit }: Pick<ClaimCleanup, 'nowMs' | 'limit'>,
): Promise<CleanupRow[]> {
  return reader.rows<CleanupRow>(`select * from cleanup where ${isDue} ${inTurn}`, [nowMs, nowMs, limit]);
}

const later = `select count(*) as n from (select id from cleanup where state = 'waiting' and not (${isDue}) limit ?) c`;

/** How many deletions wait whose turn it is not; counted up to `limit`. */
export async function countLaterCleanup(
  reader: Reader,
  { nowMs, limit }: Pick<ClaimCleanup, 'nowMs' | 'limit'>,
): Promise<number> {
  const [row] = await reader.rows<{ n: number | string }>(later, [nowMs, nowMs, limit]);
  return Number(row!.n);
}

/** Takes due deletions for a while. Whoever dies with them loses them when the lease runs out. */
export const claimCleanup = transaction(
  import.meta.url,
  'claimCleanup',
  async (tx, { owner, limit, nowMs, leaseMs }: ClaimCleanup): Promise<CleanupRow[]> => {
    const due = `select id from cleanup where ${isDue} ${inTurn} ${tx.fragments.forUpdateSkipLocked}`;
    const rows = await tx.rows<{ id: number }>(due, [nowMs, nowMs, limit]);
    const claimed: CleanupRow[] = [];
    for (const { id } of rows) {
      const statement = 'update cleanup set claimed_by = ?, claimed_until = ? where id = ? returning *';
      claimed.push(...(await tx.rows<CleanupRow>(statement, [owner, nowMs + leaseMs, id])));
    }
    return claimed;
  },
);

export interface FinishCleanup {
  readonly ids: readonly number[];
  readonly owner: string;
  readonly nowMs: number;
  /** After how long bytes of a write that nobody saw end are looked for once more. */
  readonly secondLookMs: number;
}

const again = `update cleanup set is_uncertain = 0, due_at = ?, claimed_by = null, claimed_until = 0
  where id = ? and claimed_by = ? and is_uncertain = 1`;
const done = 'delete from cleanup where id = ? and claimed_by = ? and is_uncertain = 0 returning *';

/** Takes what is deleted off the queue and off the books. */
export const finishCleanup = transaction(
  import.meta.url,
  'finishCleanup',
  async (tx, { ids, owner, nowMs, secondLookMs }: FinishCleanup): Promise<void> => {
    const gone: CleanupRow[] = [];
    for (const id of ids) {
      if ((await tx.run(again, [nowMs + secondLookMs, id, owner])) === 1) continue;
      gone.push(...(await tx.rows<CleanupRow>(done, [id, owner])));
    }
    await bookBytes(
      tx,
      gone.map((row) => ({ backend: row.backend, storageKey: row.storage_key, bytes: -row.stored_bytes })),
    );
  },
);

export interface FailCleanup {
  readonly id: number;
  readonly owner: string;
  readonly error: string;
  readonly dueAtMs: number;
}

const fail = `update cleanup set attempts = attempts + 1, last_error = ?, due_at = ?, claimed_by = null, claimed_until = 0,
  state = case when attempts + 1 >= ? then 'dead' else 'waiting' end where id = ? and claimed_by = ?`;

/** Puts a deletion that failed back, for later; after many attempts it is a dead letter, still on the books. */
export const failCleanup = transaction(
  import.meta.url,
  'failCleanup',
  async (tx, { id, owner, error, dueAtMs }: FailCleanup): Promise<void> => {
    await tx.run(fail, [error, dueAtMs, cleanupAttemptsMax, id, owner]);
  },
  () => true,
);

/** Tries dead letters again, of one backend or of all. Gives how many. */
export const requeueCleanup = transaction(
  import.meta.url,
  'requeueCleanup',
  async (tx, { backend, nowMs }: { readonly backend: string | null; readonly nowMs: number }): Promise<number> =>
    tx.run(
      `update cleanup set state = 'waiting', attempts = 0, due_at = ? where state = 'dead' and backend = coalesce(?, backend)`,
      [nowMs, backend],
    ),
  () => true,
);
