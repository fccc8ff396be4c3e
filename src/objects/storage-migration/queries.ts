import type { Reader } from '../../kernel/store/store.ts';
import type { Copy } from '../object.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';
import type { StorageMigration, StorageMigrationFailure, StorageMigrationState } from './storage-migration.ts';

interface MigrationRow {
  id: string;
  source: string;
  target: string;
  state: string;
  parallel: number;
  is_read_back: number;
  actor: string;
  total_copies: number | string;
  total_bytes: number | string;
  moved_copies: number | string;
  moved_bytes: number | string;
  last_error: string | null;
  created_at: number;
  switched_at: number | null;
  finished_at: number | null;
}

function toMigration(row: MigrationRow): StorageMigration {
  return {
    id: row.id,
    source: row.source,
    target: row.target,
    state: row.state as StorageMigrationState,
    parallel: row.parallel,
    isReadBack: row.is_read_back === 1,
    actor: row.actor,
    totalCopies: Number(row.total_copies),
    totalBytes: Number(row.total_bytes),
    movedCopies: Number(row.moved_copies),
    movedBytes: Number(row.moved_bytes),
    lastError: row.last_error,
    createdAtMs: row.created_at,
    switchedAtMs: row.switched_at,
    finishedAtMs: row.finished_at,
  };
}

/** The one that is under way. */
export async function openMigration(reader: Reader): Promise<StorageMigration | null> {
  const [row] = await reader.rows<MigrationRow>('select * from storage_migrations where is_open = 1', []);
  return row === undefined ? null : toMigration(row);
}

/** The one that is under way, or the last that was. */
export async function latestMigration(reader: Reader): Promise<StorageMigration | null> {
  const statement = 'select * from storage_migrations order by created_at desc, id desc limit 1';
  const [row] = await reader.rows<MigrationRow>(statement, []);
  return row === undefined ? null : toMigration(row);
}

export async function migrationFailures(
  reader: Reader,
  page: { readonly after: { readonly contentId: string; readonly part: number } | null; readonly limit: number },
): Promise<StorageMigrationFailure[]> {
  const { contentId, part } = page.after ?? { contentId: '', part: 0 };
  const statement = `select * from storage_migration_failures where content_id > ? or (content_id = ? and part > ?)
    order by content_id, part limit ?`;
  const rows = await reader.rows<{
    content_id: string;
    part: number;
    attempts: number;
    error: string;
    due_at: number;
    failed_at: number;
  }>(statement, [contentId, contentId, part, page.limit]);
  return rows.map((row) => ({
    contentId: row.content_id,
    part: row.part,
    attempts: row.attempts,
    error: row.error,
    dueAtMs: row.due_at,
    failedAtMs: row.failed_at,
  }));
}

export async function countFailures(reader: Reader): Promise<number> {
  const statement = 'select count(*) as n from storage_migration_failures';
  const [row] = await reader.rows<{ n: number | string }>(statement, []);
  return Number(row!.n);
}

/** What stands on a backend. */
export async function standingOn(
  reader: Reader,
  backend: string,
): Promise<{ readonly copies: number; readonly bytes: number }> {
  const statement = 'select count(*) as n, coalesce(sum(stored_bytes), 0) as bytes from copies where backend = ?';
  const [row] = await reader.rows<{ n: number | string; bytes: number | string }>(statement, [backend]);
  return { copies: Number(row!.n), bytes: Number(row!.bytes) };
}

const standing = `select c.*, case
    when exists (select 1 from copies t where t.content_id = c.content_id and t.part = c.part and t.backend = ?)
    or exists (select 1 from storage_migration_failures f where f.content_id = c.content_id and f.part = c.part
      and f.due_at > ?) then 0 else 1 end as is_due
  from (select * from copies where backend = ? and storage_key > ? order by storage_key limit ?) c order by c.storage_key`;

/** A copy on the source. */
export interface StandingCopy {
  readonly copy: Copy;
  /** Whether it has no twin on the target yet and it is its turn. */
  readonly isDue: boolean;
}

/**
 * Copies on the source in order of their storage keys, moved or not: what has been moved is not skipped here, or one page
 * could go through all of it.
 */
export async function standingCopies(
  reader: Reader,
  { source, target }: Pick<StorageMigration, 'source' | 'target'>,
  page: { readonly after: string; readonly nowMs: number; readonly limit: number },
): Promise<StandingCopy[]> {
  const parameters = [target, page.nowMs, source, page.after, page.limit];
  const rows = await reader.rows<CopyRow & { is_due: number }>(standing, parameters);
  return rows.map((row) => ({ copy: toCopy(row), isDue: row.is_due === 1 }));
}

/** Copies of the same bytes elsewhere, for when the one on the source cannot be read. */
export async function siblingsOf(reader: Reader, { contentId, part, backend }: Copy): Promise<Copy[]> {
  const statement = 'select * from copies where content_id = ? and part = ? and backend <> ? order by backend';
  const rows = await reader.rows<CopyRow>(statement, [contentId, part, backend]);
  return rows.map(toCopy);
}
