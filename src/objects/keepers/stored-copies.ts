import type { Store } from '../../kernel/store/store.ts';
import type { Copy } from '../object.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';

/** A copy with the bytes that it takes on a backend. */
export type StoredCopy = Copy & { readonly storedBytes: number };

/** Copies of one part of a content, in order of their backends. */
export async function storedCopies(store: Store, contentId: string, part: number): Promise<StoredCopy[]> {
  const statement = 'select * from copies where content_id = ? and part = ? order by backend';
  const rows = await store.read((reader) => reader.rows<CopyRow>(statement, [contentId, part]));
  return rows.map((row) => ({ ...toCopy(row), storedBytes: row.stored_bytes }));
}
