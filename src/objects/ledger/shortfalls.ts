import type { Reader, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { CopyRow, ShortfallRow } from '../tables.ts';
import { dispose, disposalOf } from './dispose.ts';
import { noteIntegrity } from './note-integrity.ts';
import { isAway } from './outages.ts';
import { type Labels, type StandingRow, standsWell } from './standing.ts';

export interface ClaimShortfalls {
  readonly owner: string;
  readonly limit: number;
  readonly nowMs: number;
  readonly leaseMs: number;
}

const due = `from shortfalls where due_at <= ? and claimed_until <= ? order by due_at, content_id, part limit ?`;

/** Contents that want copies, whose turn it is and that nobody is at, in the order in which they are taken. */
export function dueShortfalls(reader: Reader, nowMs: number, limit: number): Promise<ShortfallRow[]> {
  return reader.rows<ShortfallRow>(`select * ${due}`, [nowMs, nowMs, limit]);
}

/** Takes contents that want copies for a while. */
export const claimShortfalls = transaction(
  import.meta.url,
  'claimShortfalls',
  async (tx, { owner, limit, nowMs, leaseMs }: ClaimShortfalls): Promise<ShortfallRow[]> => {
    const next = `select content_id, part ${due} ${tx.fragments.forUpdateSkipLocked}`;
    const rows = await tx.rows<ShortfallRow>(next, [nowMs, nowMs, limit]);
    const claimed: ShortfallRow[] = [];
    for (const { content_id, part } of rows) {
      const statement =
        'update shortfalls set claimed_by = ?, claimed_until = ? where content_id = ? and part = ? returning *';
      claimed.push(...(await tx.rows<ShortfallRow>(statement, [owner, nowMs + leaseMs, content_id, part])));
    }
    return claimed;
  },
);

export interface SettleShortfall {
  readonly contentId: string;
  readonly part: number;
  readonly owner: string;
  /** `null`: there are enough copies. */
  readonly retry: {
    readonly error: string;
    readonly dueAtMs: number;
    /** Backends where this content could not be written, the latest last. */
    readonly failedTargets: readonly string[];
  } | null;
  readonly nowMs: number;
}

const settled = 'delete from shortfalls where content_id = ? and part = ? and claimed_by = ? returning *';
const whyOwed = 'select damaged_at from shortfalls where content_id = ? and part = ?';
const putBack = `update shortfalls set attempts = attempts + 1, last_error = ?, due_at = ?, failed_targets = ?,
  claimed_by = null, claimed_until = 0 where content_id = ? and part = ? and claimed_by = ?`;
const letGo = `update shortfalls set claimed_until = 0 where content_id = ? and part = ? and claimed_by is null`;

/**
 * Ends the work on a shortfall, or puts it back for later with the reason. When more was noted as owed meanwhile, the row
 * stays and is due at once.
 */
export const settleShortfall = transaction(
  import.meta.url,
  'settleShortfall',
  async (tx, { contentId, part, owner, retry, nowMs }: SettleShortfall): Promise<void> => {
    if (retry === null) {
      // Contents are locked before rows. What is noted as owed in between takes the claim away, and nothing is deleted here.
      const [owed] = await tx.rows<Pick<ShortfallRow, 'damaged_at'>>(whyOwed, [contentId, part]);
      if ((owed?.damaged_at ?? null) !== null) await tx.lock(`content:${contentId}`);
      const [row] = await tx.rows<ShortfallRow>(settled, [contentId, part, owner]);
      if (row === undefined) await tx.run(letGo, [contentId, part]);
      else if (row.damaged_at !== null) await noteHealed(tx, row, nowMs);
      return;
    }
    const failed = retry.failedTargets.length === 0 ? null : JSON.stringify(retry.failedTargets);
    const changed = await tx.run(putBack, [retry.error, retry.dueAtMs, failed, contentId, part, owner]);
    if (changed === 0) await tx.run(letGo, [contentId, part]);
  },
);

/** Tells that what was damaged has its copies again, unless its object has gone meanwhile. */
async function noteHealed(tx: Tx, row: ShortfallRow, nowMs: number): Promise<void> {
  const { content_id: contentId, part } = row;
  const [copies] = await tx.rows<{ n: number | string }>(
    'select count(*) as n from copies where content_id = ? and part = ?',
    [contentId, part],
  );
  const count = Number(copies!.n);
  if (count > 0) await noteIntegrity(tx, 'integrity.healed', { contentId, part }, { copies: count }, nowMs);
}

export interface DropCopy {
  readonly contentId: string;
  readonly part: number;
  readonly backend: string;
  /** How many copies on backends that take writes must remain. */
  readonly remaining: number;
  /** What backends must carry for theirs to count; absent: nothing. */
  readonly requiredLabels?: Labels | undefined;
  readonly nowMs: number;
}

const otherCopies = `select b.state, b.labels, case when ${isAway('c')} then 1 else 0 end as is_away
  from copies c join object_backends b on b.name = c.backend where c.content_id = ? and c.part = ? and c.backend <> ?`;

/** Lets go of a copy when enough others stand on active backends that work; never the last one. Gives whether it did. */
export const dropCopy = transaction(
  import.meta.url,
  'dropCopy',
  async (tx, { contentId, part, backend, remaining, requiredLabels, nowMs }: DropCopy): Promise<boolean> => {
    await tx.lock(`content:${contentId}`);
    const others = await tx.rows<StandingRow>(otherCopies, [contentId, part, backend]);
    if (others.filter((one) => standsWell(one, requiredLabels)).length < Math.max(1, remaining)) return false;
    const rows = await tx.rows<CopyRow>(
      'delete from copies where content_id = ? and part = ? and backend = ? returning *',
      [contentId, part, backend],
    );
    await dispose(
      tx,
      rows.map((row) => disposalOf(row, 'moved')),
      nowMs,
    );
    return rows.length > 0;
  },
);
