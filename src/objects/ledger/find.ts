import type { Reader, Tx } from '../../kernel/store/store.ts';
import type { BucketSettings } from '../bucket.ts';
import { defaultBucketSettings } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { BucketRow, ObjectRow } from '../tables.ts';

/** The settings of a bucket that exists. Throws `NoSuchBucket`. */
export async function requireBucketRow(tx: Tx, bucket: string): Promise<BucketSettings> {
  const [row] = await tx.rows<Pick<BucketRow, 'settings'>>('select settings from buckets where name = ?', [bucket]);
  if (row === undefined) throw objectError('NoSuchBucket', { bucket });
  return { ...defaultBucketSettings, ...(JSON.parse(row.settings) as Partial<BucketSettings>) };
}

const latestRow = `select * from objects where bucket = ? and object_key = ? and is_latest = 1`;
const versionRow = `select * from objects where bucket = ? and object_key = ? and version_id = ?`;

/** The row of a version, or of the latest one without `versionId`, delete markers included. */
export async function findVersionRow(
  reader: Reader,
  bucket: string,
  key: string,
  versionId: string | undefined,
): Promise<ObjectRow | null> {
  const [row] =
    versionId === undefined
      ? await reader.rows<ObjectRow>(latestRow, [bucket, key])
      : await reader.rows<ObjectRow>(versionRow, [bucket, key, versionId]);
  return row ?? null;
}
