import type { Reader, SqlValue, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { CopyRow, ObjectRow, PartRow } from '../tables.ts';
import type { BackupLine } from './backup-lines.ts';
import type { DescribedBlob } from './describe-blob.ts';

/** Where what is found is gathered, in the store itself, so that its size is nobody's memory. */
const tables = ['buckets', 'versions', 'parts', 'copies', 'contents', 'settings'].map((name) => `rebuild_${name}`);

export const clearStage = transaction(import.meta.url, 'clearStage', async (tx, _nothing: object): Promise<void> => {
  for (const table of tables) await tx.run(`delete from ${table}`, []);
});

const enterBucket = `insert into rebuild_buckets (name, told) values (?, ?) on conflict (name) do update set told = excluded.told`;
const enterVersion = `insert into rebuild_versions (bucket, object_key, version_id, content_id, told) values (?, ?, ?, ?, ?)
  on conflict (bucket, object_key, version_id) do update set content_id = excluded.content_id, told = excluded.told`;
const enterPart = `insert into rebuild_parts (content_id, part, told) values (?, ?, ?)
  on conflict (content_id, part) do update set told = excluded.told`;
const enterCopy = `insert into rebuild_copies (backend, storage_key, content_id, part, is_known, is_found, told)
  values (?, ?, ?, ?, ?, ?, ?) on conflict (backend, storage_key) do update set content_id = excluded.content_id,
  part = excluded.part, is_known = excluded.is_known, is_found = excluded.is_found, told = excluded.told`;
const enterContent = `insert into rebuild_contents (content_id, part, bucket, object_key, stands_at, told)
  values (?, ?, ?, ?, ?, ?) on conflict (content_id, part) do update set told = excluded.told, stands_at = excluded.stands_at
  where rebuild_contents.stands_at < excluded.stands_at`;

const enterSetting = `insert into rebuild_settings (kind, id, told) values (?, ?, ?)
  on conflict (kind, id) do update set told = excluded.told`;

/** Gathers lines of a backup, in their order: later ones count. */
export const stageLines = transaction(
  import.meta.url,
  'stageLines',
  async (tx, lines: readonly BackupLine[]): Promise<void> => {
    for (const line of lines) await stageLine(tx, line);
  },
);

async function stageLine(tx: Tx, line: BackupLine): Promise<void> {
  if (line.t === 'bucket') await tx.run(enterBucket, [line.row.name, JSON.stringify(line.row)]);
  if (line.t === 'no-bucket') await tx.run('delete from rebuild_buckets where name = ?', [line.name]);
  if (line.t === 'key')
    await tx.run('delete from rebuild_versions where bucket = ? and object_key = ?', [line.bucket, line.key]);
  if (line.t === 'version') {
    const { bucket, object_key: key, version_id: version, content_id: content } = line.row;
    await tx.run(enterVersion, [bucket, key, version, content, JSON.stringify(line.row)]);
  }
  if (line.t === 'setting') {
    const { kind, id, value } = line;
    if (value === null) await tx.run('delete from rebuild_settings where kind = ? and id = ?', [kind, id]);
    else await tx.run(enterSetting, [kind, id, JSON.stringify(line)]);
  }
  if (line.t === 'part') await tx.run(enterPart, [line.row.content_id, line.row.part, JSON.stringify(line.row)]);
  if (line.t === 'copy') await tx.run(enterCopy, copyValues(line.row, { isKnown: true, isFound: false }));
}

function copyValues(row: CopyRow, { isKnown, isFound }: { isKnown: boolean; isFound: boolean }): SqlValue[] {
  const { backend, storage_key: key, content_id: content, part } = row;
  return [backend, key, content, part, isKnown ? 1 : 0, isFound ? 1 : 0, JSON.stringify(row)];
}

export interface FoundBlobs {
  readonly backend: string;
  /** Of copies that the backup told of and that stand. */
  readonly known: readonly string[];
  readonly described: readonly DescribedBlob[];
}

/** Gathers what stands on a backend. */
export const stageBlobs = transaction(
  import.meta.url,
  'stageBlobs',
  async (tx, { backend, known, described }: FoundBlobs): Promise<void> => {
    const find = 'update rebuild_copies set is_found = 1 where backend = ? and storage_key = ?';
    for (const key of known) await tx.run(find, [backend, key]);
    for (const { copy, content } of described) {
      await tx.run(enterCopy, copyValues(copy, { isKnown: false, isFound: true }));
      const { bucket, key, standsAtMs } = content;
      await tx.run(enterContent, [copy.content_id, copy.part, bucket, key, standsAtMs, JSON.stringify(content)]);
    }
  },
);

const take = 'update rebuild_copies set is_found = 2 where backend = ? and storage_key = ? and is_found = 1';

/** Notes copies that a key is made of. Gives how many of them none was made of before. */
export async function markTaken(tx: Tx, copies: readonly CopyRow[]): Promise<number> {
  let taken = 0;
  for (const { backend, storage_key: key } of copies) taken += await tx.run(take, [backend, key]);
  return taken;
}

/** The same where nothing is entered. */
export const takeCopies = transaction(import.meta.url, 'takeCopies', (tx, copies: readonly CopyRow[]) =>
  markTaken(tx, copies),
);

/** A key that something was found of. */
export interface StagedKey {
  readonly bucket: string;
  readonly object_key: string;
}

const keys = `select bucket, object_key from (
    select bucket, object_key from rebuild_versions where (bucket, object_key) > (?, ?)
    union select bucket, object_key from rebuild_contents where (bucket, object_key) > (?, ?)) found
  order by bucket, object_key limit ?`;

export function stagedKeys(reader: Reader, after: StagedKey, limit: number): Promise<StagedKey[]> {
  const { bucket, object_key: key } = after;
  return reader.rows<StagedKey>(keys, [bucket, key, bucket, key, limit]);
}

interface Told {
  readonly told: string;
}

function parsed<T>(rows: readonly Told[]): T[] {
  return rows.map(({ told }) => JSON.parse(told) as T);
}

export async function stagedVersions(reader: Reader, { bucket, object_key }: StagedKey): Promise<ObjectRow[]> {
  const statement = 'select told from rebuild_versions where bucket = ? and object_key = ?';
  const rows = parsed<ObjectRow>(await reader.rows<Told>(statement, [bucket, object_key]));
  return rows.sort((a, b) => a.seq - b.seq);
}

export async function stagedParts(reader: Reader, contentId: string): Promise<PartRow[]> {
  const statement = 'select told from rebuild_parts where content_id = ? order by part';
  return parsed(await reader.rows<Told>(statement, [contentId]));
}

/** A copy that stands on its backend. */
export interface StagedCopy {
  readonly row: CopyRow;
  /** Whether a backup told of it, and not only the blob itself. */
  readonly isKnown: boolean;
}

export async function foundCopies(reader: Reader, contentId: string): Promise<StagedCopy[]> {
  const statement = `select told, is_known from rebuild_copies where content_id = ? and is_found > 0
    order by part, backend, storage_key`;
  const rows = await reader.rows<Told & { is_known: number }>(statement, [contentId]);
  return rows.map(({ told, is_known }) => ({ row: JSON.parse(told) as CopyRow, isKnown: is_known === 1 }));
}

/** What blobs tell of the contents of a key that no backup told of. */
export async function describedContents(
  reader: Reader,
  { bucket, object_key }: StagedKey,
): Promise<DescribedBlob['content'][]> {
  const statement = `select told from rebuild_contents c where bucket = ? and object_key = ? and not exists
    (select 1 from rebuild_versions v where v.content_id = c.content_id) order by content_id, part`;
  return parsed(await reader.rows<Told>(statement, [bucket, object_key]));
}
