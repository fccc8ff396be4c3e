import type { Reader, SqlValue, Store } from '../../kernel/store/store.ts';
import type { SettingLine, SettingsLine } from './setting-lines.ts';
import type { BucketRow, CopyRow, ObjectRow, PartRow } from '../tables.ts';

/** One line of a backup: a row of the ledger as it was, or that what was told of a key or a bucket before is not so any more. */
export type BackupLine =
  | { readonly t: 'bucket'; readonly row: BucketRow }
  | { readonly t: 'no-bucket'; readonly name: string }
  | { readonly t: 'key'; readonly bucket: string; readonly key: string }
  | { readonly t: 'version'; readonly row: ObjectRow }
  | { readonly t: 'part'; readonly row: PartRow }
  | { readonly t: 'copy'; readonly row: CopyRow }
  | SettingsLine
  | SettingLine
  /** All that was committed before this moment has been told. */
  | { readonly t: 'as-of'; readonly atMs: number };

const pageSize = 500;

/** Rows of a statement that gives those after a position, until there are no more. */
async function* paged<Row>(
  store: Store,
  statement: string,
  given: readonly SqlValue[],
  first: readonly SqlValue[],
  position: (row: Row) => readonly SqlValue[],
): AsyncGenerator<Row> {
  let after = first;
  for (;;) {
    const parameters = [...given, ...after, pageSize];
    const rows = await store.read((reader: Reader) => reader.rows<Row>(statement, parameters));
    yield* rows;
    if (rows.length < pageSize) return;
    after = position(rows.at(-1)!);
  }
}

/** All that stands, page by page: what changes meanwhile is told again by {@link linesOfKey}. */
export async function* linesOfAll(store: Store): AsyncGenerator<BackupLine> {
  const buckets = 'select * from buckets where name > ? order by name limit ?';
  for await (const row of paged<BucketRow>(store, buckets, [], [''], ({ name }) => [name])) yield { t: 'bucket', row };
  const objects = `select * from objects where (bucket, object_key, version_id) > (?, ?, ?)
    order by bucket, object_key, version_id limit ?`;
  const placeOf = (row: ObjectRow) => [row.bucket, row.object_key, row.version_id];
  for await (const row of paged<ObjectRow>(store, objects, [], ['', '', ''], placeOf)) yield { t: 'version', row };
  const parts = `select * from object_parts where (content_id, part) > (?, ?) order by content_id, part limit ?`;
  for await (const row of paged<PartRow>(store, parts, [], ['', 0], (one) => [one.content_id, one.part])) {
    yield { t: 'part', row };
  }
  const copies = `select * from copies where (content_id, part, backend) > (?, ?, ?) order by content_id, part, backend limit ?`;
  const copyOf = (row: CopyRow) => [row.content_id, row.part, row.backend];
  for await (const row of paged<CopyRow>(store, copies, [], ['', 0, ''], copyOf)) yield { t: 'copy', row };
}

/** What a key is now, in place of all that was told of it. */
export async function* linesOfKey(store: Store, bucket: string, key: string): AsyncGenerator<BackupLine> {
  yield { t: 'key', bucket, key };
  const versions = `select * from objects where bucket = ? and object_key = ? and seq > ? order by seq limit ?`;
  for await (const row of paged<ObjectRow>(store, versions, [bucket, key], [0], ({ seq }) => [seq])) {
    yield { t: 'version', row };
    if (row.content_id !== null) yield* linesOfContent(store, row.content_id);
  }
}

async function* linesOfContent(store: Store, contentId: string): AsyncGenerator<BackupLine> {
  const parts = 'select * from object_parts where content_id = ? and part > ? order by part limit ?';
  for await (const row of paged<PartRow>(store, parts, [contentId], [0], ({ part }) => [part]))
    yield { t: 'part', row };
  const copies = `select * from copies where content_id = ? and (part, backend) > (?, ?) order by part, backend limit ?`;
  const placeOf = ({ part, backend }: CopyRow) => [part, backend];
  for await (const row of paged<CopyRow>(store, copies, [contentId], [0, ''], placeOf)) yield { t: 'copy', row };
}

/** What a bucket is now. */
export async function lineOfBucket(store: Store, name: string): Promise<BackupLine> {
  const statement = 'select * from buckets where name = ?';
  const [row] = await store.read((reader) => reader.rows<BucketRow>(statement, [name]));
  return row === undefined ? { t: 'no-bucket', name } : { t: 'bucket', row };
}

/** The lines of a blob. Throws for what is no line. */
export function* parseLines(own: Buffer): Generator<BackupLine> {
  for (const line of own.toString().split('\n')) {
    if (line !== '') yield JSON.parse(line) as BackupLine;
  }
}
