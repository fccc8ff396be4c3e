import type { Reader, SqlValue } from '../../kernel/store/store.ts';
import type { UploadPage, Uploads } from '../gateway.ts';
import { commonPrefix, successor } from '../keys.ts';
import { rewriteOwner } from '../object.ts';
import { toUpload } from '../rows.ts';
import type { UploadRow } from '../tables.ts';

type Request = Parameters<Uploads['list']>[0];
type Position = NonNullable<UploadPage['next']>;

const batchSize = 1000;

/** From where a scan goes on: rows above it in the order of the listing. */
interface From {
  readonly key: string;
  /** Whether uploads of just this key belong to what comes. */
  readonly isInclusive: boolean;
  /** Of this key, only uploads after this one. */
  readonly uploadId?: string;
}

/** One page of open uploads; common prefixes count like uploads. */
export async function listUploads(reader: Reader, request: Request): Promise<UploadPage> {
  const { bucket, prefix, delimiter, limit } = request;
  const below = successor(prefix);
  const uploads: UploadPage['uploads'][number][] = [];
  const prefixes: string[] = [];
  let next: Position | null = null;
  let from = startOf(request);
  if (limit === 0) return { uploads, prefixes, isTruncated: false, next };
  while (from !== null) {
    const rows = await scan(reader, { bucket, prefix, below, from });
    let told: string | null = null;
    for (const row of rows) {
      if (told !== null && row.object_key.startsWith(told)) continue;
      told = commonPrefix(row.object_key, prefix, delimiter);
      if (uploads.length + prefixes.length === limit) return { uploads, prefixes, isTruncated: true, next };
      if (told === null) {
        uploads.push(toUpload(row));
        next = { key: row.object_key, uploadId: row.upload_id };
      } else {
        prefixes.push(told);
        next = { key: told, uploadId: '' };
      }
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < batchSize) break;
    from = told === null ? { key: last.object_key, isInclusive: false, uploadId: last.upload_id } : above(told);
  }
  return { uploads, prefixes, isTruncated: false, next: null };
}

/**
 * A marker without an upload stands for all uploads of its key. It may also be a common prefix that a page before told, and
 * then for all under it: no upload can be told by such a key.
 */
function startOf({ after, prefix, delimiter }: Request): From | null {
  if (after === null) return { key: prefix, isInclusive: true };
  const { key, uploadId = '' } = after;
  if (uploadId !== '') return { key, isInclusive: false, uploadId };
  const isGroup = key.startsWith(prefix) && commonPrefix(key, prefix, delimiter) === key;
  return isGroup ? above(key) : { key, isInclusive: false };
}

/** Above all keys with a prefix; `null` when nothing can be there. */
function above(prefix: string): From | null {
  const key = successor(prefix);
  return key === null ? null : { key, isInclusive: true };
}

/** Open uploads in order of key and id. */
function scan(
  reader: Reader,
  range: { readonly bucket: string; readonly prefix: string; readonly below: string | null; readonly from: From },
): Promise<UploadRow[]> {
  const { bucket, prefix, below, from } = range;
  const values: SqlValue[] = [bucket, rewriteOwner, prefix];
  let where = 'object_key >= ?';
  if (below !== null) {
    where += ' and object_key < ?';
    values.push(below);
  }
  if (from.uploadId === undefined) {
    where += ` and object_key ${from.isInclusive ? '>=' : '>'} ?`;
    values.push(from.key);
  } else {
    where += ' and (object_key > ? or (object_key = ? and upload_id > ?))';
    values.push(from.key, from.key, from.uploadId);
  }
  return reader.rows<UploadRow>(
    `select * from uploads where bucket = ? and state = 'open' and owner <> ? and ${where} order by object_key, upload_id limit ?`,
    [...values, batchSize],
  );
}
