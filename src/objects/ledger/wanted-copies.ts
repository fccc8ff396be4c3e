import type { Reader } from '../../kernel/store/store.ts';
import type { Bucket, BucketSettings } from '../bucket.ts';
import { toBucket } from '../rows.ts';
import { type StorageClass, coldnessOf, settingsIn } from '../storage-class.ts';
import type { BucketRow } from '../tables.ts';
import { readStorageClasses } from './storage-classes.ts';

const referring = `select b.*, r.storage_class from buckets b join (select bucket, storage_class from objects where content_id = ?
  union select bucket, storage_class from uploads where upload_id = ? and state = 'open') r on r.bucket = b.name
  order by b.name, r.storage_class`;

/** What holds for a content: the one place that says how many copies it is to have, and where they belong. */
export interface ContentWishes {
  readonly bucket: string;
  /** Of the bucket, with the labels that the storage class asks for. */
  readonly settings: BucketSettings;
  /** Of the bucket alone: where a copy is at least safe while its class has no room. */
  readonly bucketSettings: BucketSettings;
  readonly storageClass: string;
}

/** A version or an open upload that has the content. */
export interface Reference {
  readonly bucket: Bucket;
  readonly storageClass: string;
}

/**
 * Of what refers to a content, the bucket that wants most copies, and the warmest of all classes: bytes that one version
 * wants at hand are not taken away since another one, which shares them, has grown cold. `null` when nothing refers to it.
 */
export function chooseWishes(references: readonly Reference[], classes: readonly StorageClass[]): ContentWishes | null {
  let most: Bucket | null = null;
  let warmest: string | null = null;
  for (const { bucket, storageClass } of references) {
    if (most === null || bucket.settings.copies > most.settings.copies) most = bucket;
    const isWarmer = warmest === null || coldnessOf(classes, storageClass) < coldnessOf(classes, warmest);
    if (isWarmer) warmest = storageClass;
  }
  if (most === null || warmest === null) return null;
  const { name: bucket, settings: bucketSettings } = most;
  const settings = settingsIn(bucketSettings, classes, warmest);
  return { bucket, settings, bucketSettings, storageClass: warmest };
}

/** What holds for a content; `null` when nothing refers to it any more. */
export async function wishesOf(reader: Pick<Reader, 'rows'>, contentId: string): Promise<ContentWishes | null> {
  const rows = await reader.rows<BucketRow & { storage_class: string }>(referring, [contentId, contentId]);
  const references = rows.map((row) => ({ bucket: toBucket(row), storageClass: row.storage_class }));
  return chooseWishes(references, await readStorageClasses(reader));
}

/** How many copies a content is to have; `null` when nothing refers to it. */
export async function wantedCopies(reader: Pick<Reader, 'rows'>, contentId: string): Promise<number | null> {
  const wishes = await wishesOf(reader, contentId);
  return wishes?.settings.copies ?? null;
}
