import type { Reader } from '../../kernel/store/store.ts';
import type { BucketSettings } from '../bucket.ts';
import { toBucket } from '../rows.ts';
import type { BucketRow } from '../tables.ts';

const referring = `select * from buckets where name in (select bucket from objects where content_id = ?
  union select bucket from uploads where upload_id = ? and state = 'open') order by name`;

/** The bucket whose wishes hold for a content. */
export interface ContentWishes {
  readonly bucket: string;
  readonly settings: BucketSettings;
}

/** Of the buckets that refer to a content, the one that wants most copies; `null` when none refers to it any more. */
export async function wishesOf(reader: Pick<Reader, 'rows'>, contentId: string): Promise<ContentWishes | null> {
  const rows = await reader.rows<BucketRow>(referring, [contentId, contentId]);
  let wishes: ContentWishes | null = null;
  for (const { name: bucket, settings } of rows.map(toBucket)) {
    if (wishes === null || settings.copies > wishes.settings.copies) wishes = { bucket, settings };
  }
  return wishes;
}

/** How many copies a content is to have; `null` when nothing refers to it. */
export async function wantedCopies(reader: Pick<Reader, 'rows'>, contentId: string): Promise<number | null> {
  const wishes = await wishesOf(reader, contentId);
  return wishes?.settings.copies ?? null;
}
