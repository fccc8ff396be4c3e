import type { Store } from '../../kernel/store/store.ts';
import type { Copy } from '../object.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';

/** Copies of one part of a content, in order of their backends. */
export async function storedCopies(store: Store, contentId: string, part: number): Promise<Copy[]> {
  const statement = 'select * from copies where content_id = ? and part = ? order by backend';
  const rows = await store.read((reader) => reader.rows<CopyRow>(statement, [contentId, part]));
  return rows.map(toCopy);
}
