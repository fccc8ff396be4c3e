import type { Reader, SqlValue } from '../../kernel/store/store.ts';
import type { UploadPage, Uploads } from '../gateway.ts';
import { commonPrefix, successor } from '../keys.ts';
import { toUpload } from '../rows.ts';
import type { UploadRow } from '../tables.ts';

type Request = Parameters<Uploads['list']>[0];
type Position = NonNullable<UploadPage['next']>;

const batchSize = 1000;

/** One page of open uploads; common prefixes count like uploads. */
export async function listUploads(reader: Reader, request: Request): Promise<UploadPage> {
  const { bucket, prefix, delimiter, limit } = request;
  const below = successor(prefix);
  const uploads: UploadPage['uploads'][number][] = [];
  const prefixes: string[] = [];
  let next: Position | null = null;
  let from = request.after;
  if (limit === 0) return { uploads, prefixes, isTruncated: false, next };
  for (;;) {
    const rows = await scan(reader, bucket, prefix, below, from);
    let told: string | null = null;
    for (const row of rows) {
      if (told !== null && row.object_key.startsWith(told)) continue;
      const group = commonPrefix(row.object_key, prefix, delimiter);
      if (uploads.length + prefixes.length === limit) return { uploads, prefixes, isTruncated: true, next };
      told = group;
      if (group === null) {
        uploads.push(toUpload(row));
        next = { key: row.object_key, uploadId: row.upload_id };
      } else {
        prefixes.push(group);
        // The next page begins above all that the common prefix stands for.
        next = { key: successor(group) ?? group, uploadId: '' };
      }
    }
    if (rows.length < batchSize) return { uploads, prefixes, isTruncated: false, next: null };
    const last = rows.at(-1)!;
    from =
      told === null
        ? { key: last.object_key, uploadId: last.upload_id }
        : { key: successor(told) ?? told, uploadId: '' };
  }
}

/** Open uploads in order of key and id. Without an upload id, those of keys above the marker. */
function scan(
  reader: Reader,
  bucket: string,
  prefix: string,
  below: string | null,
  from: Request['after'],
): Promise<UploadRow[]> {
  const values: SqlValue[] = [bucket, prefix];
  let where = 'object_key >= ?';
  if (below !== null) {
    where += ' and object_key < ?';
    values.push(below);
  }
  if (from !== null && from.uploadId === undefined) {
    where += ' and object_key > ?';
    values.push(from.key);
  } else if (from !== null) {
    where += ' and (object_key > ? or (object_key = ? and upload_id > ?))';
    values.push(from.key, from.key, from.uploadId!);
  }
  return reader.rows<UploadRow>(
    `select * from uploads where bucket = ? and state = 'open' and ${where} order by object_key, upload_id limit ?`,
    [...values, batchSize],
  );
}
