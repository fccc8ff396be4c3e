import type { Reader } from '../../kernel/store/store.ts';
import { toBucket } from '../rows.ts';
import type { BucketRow } from '../tables.ts';

const referring = `select b.* from buckets b where b.name in (select bucket from objects where content_id = ?
  union select bucket from uploads where upload_id = ? and state = 'open')`;

/** How many copies the buckets want that refer to a content: the most of them; 0 when none does any more. */
export async function wantedCopies(reader: Reader, contentId: string): Promise<number> {
  const rows = await reader.rows<BucketRow>(referring, [contentId, contentId]);
  return rows.reduce((most, row) => Math.max(most, toBucket(row).settings.copies), 0);
}
