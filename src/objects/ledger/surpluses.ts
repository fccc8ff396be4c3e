import type { Reader, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { CopyRow, SurplusRow } from '../tables.ts';
import { type DisposalReason, dispose, disposalOf } from './dispose.ts';
import { awayBackends, isAway } from './outages.ts';
import { wantedCopies } from './wanted-copies.ts';

/** Which part of which content. */
export interface PartRef {
  readonly contentId: string;
  readonly part: number;
}

const enter = `insert into surpluses (content_id, part, waits_for, due_at, attempts, created_at) values (?, ?, ?, ?, 0, ?)
  on conflict (content_id, part) do nothing`;

/** Says that a part may have more copies than are wanted; one that `waitsFor` a backend is looked at when that is back. */
export async function noteSurplus(
  tx: Tx,
  { contentId, part }: PartRef,
  waitsFor: string,
  nowMs: number,
): Promise<void> {
  await tx.run(enter, [contentId, part, waitsFor, nowMs, nowMs]);
}

/** As {@link noteSurplus}, for many that wait for nothing. */
export const noteSurpluses = transaction(
  import.meta.url,
  'noteSurpluses',
  async (tx, { items, nowMs }: { readonly items: readonly PartRef[]; readonly nowMs: number }): Promise<void> => {
    for (const item of items) await noteSurplus(tx, item, '', nowMs);
  },
);

/** What is waited for, one name after another by the index; `''` for nothing. */
const firstName = 'select waits_for from surpluses order by waits_for limit 1';
const nextName = 'select waits_for from surpluses where waits_for > ? order by waits_for limit 1';
const dueOf = 'select * from surpluses where waits_for = ? and due_at <= ? order by due_at, content_id, part limit ?';

/** What is due, except what waits for a backend that is away. */
export async function dueSurpluses(reader: Reader, nowMs: number, limit: number): Promise<SurplusRow[]> {
  const away = await awayBackends(reader);
  const due: SurplusRow[] = [];
  let [next] = await reader.rows<Pick<SurplusRow, 'waits_for'>>(firstName, []);
  while (next !== undefined && due.length < limit) {
    const { waits_for: waitsFor } = next;
    if (!away.has(waitsFor)) due.push(...(await reader.rows<SurplusRow>(dueOf, [waitsFor, nowMs, limit - due.length])));
    [next] = await reader.rows<Pick<SurplusRow, 'waits_for'>>(nextName, [waitsFor]);
  }
  return due;
}

export interface SettleSurplus extends PartRef {
  /** `null`: nothing is left to do. */
  readonly later: { readonly error: string; readonly waitsFor: string; readonly dueAtMs: number } | null;
}

const putOff = `update surpluses set attempts = attempts + 1, last_error = ?, waits_for = ?, due_at = ?
  where content_id = ? and part = ?`;

/** Ends the work on a surplus, or puts it off. */
export const settleSurplus = transaction(
  import.meta.url,
  'settleSurplus',
  async (tx, { contentId, part, later }: SettleSurplus): Promise<void> => {
    if (later === null) await tx.run('delete from surpluses where content_id = ? and part = ?', [contentId, part]);
    else await tx.run(putOff, [later.error, later.waitsFor, later.dueAtMs, contentId, part]);
  },
  () => true,
);

export interface DropSurplus extends PartRef {
  readonly backend: string;
  readonly storageKey: string;
  /** Copies that were found to be there, by looking at them just now. */
  readonly proven: readonly { readonly backend: string; readonly storageKey: string }[];
  readonly reason: Extract<DisposalReason, 'surplus' | 'moved'>;
  readonly nowMs: number;
}

const counting = `select c.backend, c.storage_key from copies c join object_backends b on b.name = c.backend
  where c.content_id = ? and c.part = ? and b.state = 'active' and not ${isAway('c')}`;

/** What a migration leaves is let go when it is switched, and not before. */
const drop = `delete from copies where content_id = ? and part = ? and backend = ? and storage_key = ?
  and backend not in (select name from object_backends where state = 'migrating') returning *`;

/**
 * Lets go of one copy while as many as are wanted, and at least one, stay that were proven and stand on active backends
 * which work. How many are wanted is asked here, under the content's lock. Gives whether it did.
 */
export const dropSurplus = transaction(
  import.meta.url,
  'dropSurplus',
  async (tx, { contentId, part, backend, storageKey, proven, reason, nowMs }: DropSurplus): Promise<boolean> => {
    await tx.lock(`content:${contentId}`);
    const wanted = await wantedCopies(tx, contentId);
    if (wanted === null) return false;
    const standing = await tx.rows<Pick<CopyRow, 'backend' | 'storage_key'>>(counting, [contentId, part]);
    const remaining = proven.filter(
      (one) =>
        one.backend !== backend &&
        standing.some((row) => row.backend === one.backend && row.storage_key === one.storageKey),
    );
    if (remaining.length < Math.max(1, wanted)) return false;
    const rows = await tx.rows<CopyRow>(drop, [contentId, part, backend, storageKey]);
    await dispose(
      tx,
      rows.map((row) => disposalOf(row, reason)),
      nowMs,
    );
    return rows.length > 0;
  },
);
