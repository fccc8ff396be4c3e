import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { noteBackend } from '../backends/management/events.ts';
import { lockBackend } from '../backends/management/lock-backend.ts';
import type { CopyRow, OutageRow } from '../tables.ts';

/** Whether the backend of a copy has been out of order for so long that the copy counts as missing. */
export function isAway(copies: string): string {
  return `exists (select 1 from backend_outages w where w.backend = ${copies}.backend and w.away_at is not null)`;
}

/** The backends of which {@link isAway} is true. */
export async function awayBackends(reader: Pick<Reader, 'rows'>): Promise<ReadonlySet<string>> {
  const statement = 'select backend from backend_outages where away_at is not null';
  const rows = await reader.rows<Pick<OutageRow, 'backend'>>(statement, []);
  return new Set(rows.map(({ backend }) => backend));
}

export interface NoteOutage {
  readonly backend: string;
  readonly reason: string;
  /** How long it may be out of order before its copies count as missing. */
  readonly awayAfterMs: number;
  readonly nowMs: number;
}

const begin = `insert into backend_outages (backend, since, reason, walked_to, is_walked) values (?, ?, ?, '', 0)
  on conflict (backend) do nothing`;
const leave = 'update backend_outages set away_at = ? where backend = ? and away_at is null and since <= ? returning *';

/** Notes that a backend does not work. Gives whether its copies count as missing from now on. */
export const noteOutage = transaction(
  import.meta.url,
  'noteOutage',
  async (tx, { backend, reason, awayAfterMs, nowMs }: NoteOutage): Promise<boolean> => {
    if ((await lockBackend(tx, backend)) === null) return false;
    await tx.run(begin, [backend, nowMs, reason]);
    const [row] = await tx.rows<OutageRow>(leave, [nowMs, backend, nowMs - awayAfterMs]);
    if (row === undefined) return false;
    const since = new Date(row.since).toISOString();
    await noteBackend(tx, backend, 'away', { actor: 'gateway', nowMs }, { since, reason: row.reason });
    return true;
  },
);

/** Notes that a backend works again. What could not be read while it was away may be replicated from it now. */
export const endOutage = transaction(
  import.meta.url,
  'endOutage',
  async (tx, { backend, nowMs }: { readonly backend: string; readonly nowMs: number }): Promise<void> => {
    await lockBackend(tx, backend);
    const [row] = await tx.rows<OutageRow>('delete from backend_outages where backend = ? returning *', [backend]);
    if (row === undefined || row.away_at === null) return;
    await tx.run(`update backend_outages set walked_to = '', is_walked = 0`, []);
    await noteBackend(tx, backend, 'back', { actor: 'gateway', nowMs }, { away_ms: nowMs - row.away_at });
  },
);

const page = `select content_id, part, storage_key from copies where backend = ? and storage_key > ?
  order by storage_key limit ?`;
const owable = (away: readonly string[]) => `select c.*, case when exists (select 1 from shortfalls s
    where s.content_id = c.content_id and s.part = c.part) then 1 else 0 end as is_owed from (${page}) c
  where exists (select 1 from copies o where o.content_id = c.content_id and o.part = c.part
    and o.backend not in (${away.map(() => '?').join(', ')})) order by c.storage_key`;
const owe = `insert into shortfalls (content_id, part, bucket, due_at, attempts, claimed_until, created_at)
  values (?, ?, '', ?, 0, 0, ?) on conflict (content_id, part) do nothing`;

type Standing = Pick<CopyRow, 'content_id' | 'part' | 'storage_key'>;

/** How far the copies of a backend that is away were queued. */
export interface AwayWalk {
  readonly backend: string;
  readonly walkedTo: string;
}

/** What one go found of it. */
export interface AwayGo {
  /** Copies that can be made again, since they can be read elsewhere, and are not queued yet. */
  readonly found: readonly Standing[];
  readonly walkedTo: string;
  /** Whether all copies were passed. */
  readonly isWalked: boolean;
}

/** The next copies of a backend that is away, with the names of all that are. */
export async function nextAway(
  reader: Pick<Reader, 'rows'>,
  { backend, walkedTo }: AwayWalk,
  away: readonly string[],
  limit: number,
): Promise<AwayGo> {
  const bounds = [backend, walkedTo, limit];
  const copies = await reader.rows<Standing>(page, bounds);
  const rows = await reader.rows<Standing & { readonly is_owed: number }>(owable(away), [...bounds, ...away]);
  return {
    found: rows.filter((row) => row.is_owed === 0),
    walkedTo: copies.at(-1)?.storage_key ?? walkedTo,
    isWalked: copies.length < limit,
  };
}

/**
 * Queues the next copies of backends that are away, for being made elsewhere; of those that can be read anywhere, since
 * nothing can be done for the others until a backend is back. Each copy is queued once an outage. Gives how many are new.
 */
export const queueAway = transaction(
  import.meta.url,
  'queueAway',
  async (tx, { limit, nowMs }: { readonly limit: number; readonly nowMs: number }): Promise<number> => {
    const next = 'select * from backend_outages where away_at is not null and is_walked = 0 order by backend limit 1';
    const [row] = await tx.rows<OutageRow>(next, []);
    if (row === undefined) return 0;
    const away = [...(await awayBackends(tx))].sort();
    const { found, walkedTo, isWalked } = await nextAway(tx, { ...row, walkedTo: row.walked_to }, away, limit);
    let queued = 0;
    for (const { content_id: contentId, part } of found) queued += await tx.run(owe, [contentId, part, nowMs, nowMs]);
    const statement = 'update backend_outages set walked_to = ?, is_walked = ? where backend = ?';
    await tx.run(statement, [walkedTo, isWalked ? 1 : 0, row.backend]);
    return queued;
  },
);
