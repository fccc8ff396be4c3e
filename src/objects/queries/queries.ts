import type { Reader } from '../../kernel/store/store.ts';
import type { Bucket } from '../bucket.ts';
import { formOfColumn } from '../content/form.ts';
import type { ContentPart, Copy, ObjectVersion, Upload } from '../object.ts';
import { toBucket, toCopy, toPart, toUpload, toVersion } from '../rows.ts';
import type { BucketRow, CopyRow, ObjectRow, PartRow, UploadRow } from '../tables.ts';

/** A version with the copies of its first part, which are all there are of a content that was written whole. */
export interface LocatedVersion {
  readonly version: ObjectVersion;
  readonly copies: readonly Copy[];
}

type JoinedRow = ObjectRow & { copy_backend: string | null } & Pick<
    CopyRow,
    'storage_key' | 'stored_bytes' | 'crc32' | 'form'
  > & {
    copy_bytes: number;
  };

const located = `select o.*, c.backend as copy_backend, c.storage_key, c.stored_bytes, c.crc32, c.form, c.size_bytes as copy_bytes
  from objects o left join copies c on c.content_id = o.content_id and c.part = 1 where o.bucket = ? and o.object_key = ?`;
const locatedLatest = `${located} and o.is_latest = 1`;
const locatedVersion = `${located} and o.version_id = ?`;

/** A version with its copies, in one statement; `null` when there is none. */
export async function locate(
  reader: Reader,
  bucket: string,
  key: string,
  versionId: string | undefined,
): Promise<LocatedVersion | null> {
  const rows =
    versionId === undefined
      ? await reader.rows<JoinedRow>(locatedLatest, [bucket, key])
      : await reader.rows<JoinedRow>(locatedVersion, [bucket, key, versionId]);
  const [first] = rows;
  if (first === undefined) return null;
  const version = toVersion(first);
  const copies = rows
    .filter((row) => row.copy_backend !== null)
    .map((row) => ({
      contentId: row.content_id!,
      part: 1,
      backend: row.copy_backend!,
      storageKey: row.storage_key,
      sizeBytes: row.copy_bytes,
      storedBytes: row.stored_bytes,
      crc32: row.crc32,
      form: formOfColumn(row.form),
    }));
  return { version, copies };
}

/** The version that a content was committed as, if it was. */
export async function findVersionByContent(
  reader: Reader,
  bucket: string,
  key: string,
  contentId: string,
): Promise<ObjectVersion | null> {
  const [row] = await reader.rows<ObjectRow>(
    'select * from objects where content_id = ? and bucket = ? and object_key = ?',
    [contentId, bucket, key],
  );
  return row === undefined ? null : toVersion(row);
}

/** Copies of all parts of a content. */
export async function allCopiesOf(reader: Reader, contentId: string): Promise<Copy[]> {
  const rows = await reader.rows<CopyRow>('select * from copies where content_id = ? order by part, backend', [
    contentId,
  ]);
  return rows.map(toCopy);
}

/** Copies of one part of a content. */
export async function copiesOf(reader: Reader, contentId: string, part: number): Promise<Copy[]> {
  const rows = await reader.rows<CopyRow>('select * from copies where content_id = ? and part = ? order by backend', [
    contentId,
    part,
  ]);
  return rows.map(toCopy);
}

/** The least number of copies that any part of a content has; 0 for a content without bytes on record. */
export async function leastCopies(reader: Reader, contentId: string): Promise<number> {
  const [row] = await reader.rows<{ least: number | string | null }>(
    `select min(n) as least from (select count(*) as n from copies where content_id = ? group by part) parts`,
    [contentId],
  );
  return Number(row?.least ?? 0);
}

/** Parts of a content in order. */
export async function partsOf(
  reader: Reader,
  contentId: string,
  page: { readonly after: number; readonly limit: number },
): Promise<ContentPart[]> {
  const rows = await reader.rows<PartRow>(
    'select * from object_parts where content_id = ? and part > ? order by part limit ?',
    [contentId, page.after, page.limit],
  );
  return rows.map(toPart);
}

export async function findBucket(reader: Reader, name: string): Promise<Bucket | null> {
  const [row] = await reader.rows<BucketRow>('select * from buckets where name = ?', [name]);
  return row === undefined ? null : toBucket(row);
}

/** Buckets in order of their names, which are ASCII: what begins with a prefix lies below the prefix and a tilde. */
export async function listBuckets(
  reader: Reader,
  { after, prefix, limit }: { readonly after: string; readonly prefix: string; readonly limit: number },
): Promise<Bucket[]> {
  const rows = await reader.rows<BucketRow>(
    'select * from buckets where name > ? and name >= ? and name < ? order by name limit ?',
    [after, prefix, `${prefix}~`, limit],
  );
  return rows.map(toBucket);
}

export async function findUpload(
  reader: Reader,
  uploadId: string,
): Promise<(Upload & { result: string | null }) | null> {
  const [row] = await reader.rows<UploadRow>('select * from uploads where upload_id = ?', [uploadId]);
  return row === undefined ? null : { ...toUpload(row), result: row.result };
}

/** Whether a part stands as a given write made it. */
export async function partOf(reader: Reader, contentId: string, part: number, writeId: string): Promise<boolean> {
  const [row] = await reader.rows(
    'select 1 from copies where content_id = ? and part = ? and storage_key like ? limit 1',
    [contentId, part, `%/${writeId}`],
  );
  return row !== undefined;
}
