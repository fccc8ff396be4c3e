import type { Reader, SqlValue } from '../../kernel/store/store.ts';
import type { ListPosition, ListRequest, ObjectPage } from '../gateway.ts';
import { commonPrefix, successor } from '../keys.ts';
import type { ObjectVersion } from '../object.ts';
import { toVersion } from '../rows.ts';
import type { ObjectRow } from '../tables.ts';

/** How many rows are read at once, at first and at most. */
const batchFirst = 16;
const batchMin = 2;
const batchMax = 1000;

/** From where a scan goes on: rows above it in the order of the listing. */
interface From {
  readonly key: string;
  /** Whether rows with just this key belong to what comes. */
  readonly isInclusive: boolean;
  /** Within the versions of this key, those before this one. */
  readonly versionId?: string;
}

type Scan = (reader: Reader, from: From, below: string | null, limit: number) => Promise<ObjectRow[]>;

/**
 * One page of a listing. Where many keys share a common prefix the scan jumps over them, so that a page costs about as
 * much as what it tells, whatever lies under its prefixes.
 */
async function listPage(reader: Reader, request: ListRequest, scan: Scan): Promise<ObjectPage> {
  const { prefix, delimiter, limit, after } = request;
  const below = successor(prefix);
  const versions: ObjectVersion[] = [];
  const prefixes: string[] = [];
  let next: ListPosition | null = null;
  let from = startOf(prefix, after);
  let batch = delimiter === null ? Math.min(batchMax, limit + 1) : batchFirst;
  if (limit === 0) return { versions, prefixes, isTruncated: false, next };
  while (from !== null) {
    const rows: ObjectRow[] = await scan(reader, from, below, batch);
    const toldBefore = versions.length + prefixes.length;
    let told: string | null = null;
    for (const row of rows) {
      const key = row.object_key;
      if (told !== null && key.startsWith(told)) continue;
      told = commonPrefix(key, prefix, delimiter);
      if (versions.length + prefixes.length === limit) return { versions, prefixes, isTruncated: true, next };
      if (told === null) {
        versions.push(toVersion(row));
        next = { key, versionId: row.version_id, isPrefix: false };
      } else {
        prefixes.push(told);
        next = { key: told, isPrefix: true };
      }
    }
    if (rows.length < batch) break;
    from = told === null ? rowPosition(rows.at(-1)!) : above(told);
    // As many as turned out to be of use, and some more: large groups are jumped over, many small ones read together.
    batch = Math.min(batchMax, Math.max(batchMin, 2 * (versions.length + prefixes.length - toldBefore)));
  }
  return { versions, prefixes, isTruncated: false, next: null };
}

function startOf(prefix: string, after: ListPosition | null): From | null {
  if (after === null) return { key: prefix, isInclusive: true };
  if (after.isPrefix) return above(after.key);
  const { key, versionId } = after;
  // A marker below the prefix begins with the prefix.
  if (Buffer.compare(Buffer.from(key), Buffer.from(prefix)) < 0) return { key: prefix, isInclusive: true };
  return versionId === undefined ? { key, isInclusive: false } : { key, isInclusive: false, versionId };
}

/** Above all keys with a prefix; `null` when nothing can be there. */
function above(prefix: string): From | null {
  const key = successor(prefix);
  return key === null ? null : { key, isInclusive: true };
}

function rowPosition(row: ObjectRow): From {
  return { key: row.object_key, isInclusive: false, versionId: row.version_id };
}

/** The latest versions that are not delete markers, in byte order of keys. */
export function listObjects(reader: Reader, request: ListRequest): Promise<ObjectPage> {
  return listPage(reader, request, (on, { key, isInclusive }, below, limit) => {
    const values: SqlValue[] = [request.bucket, key];
    if (below !== null) values.push(below);
    const range = `object_key ${isInclusive ? '>=' : '>'} ?${below === null ? '' : ' and object_key < ?'}`;
    const statement = `select * from objects where bucket = ? and is_latest = 1 and is_marker = 0 and ${range}
      order by object_key limit ?`;
    return on.rows<ObjectRow>(statement, [...values, limit]);
  });
}

/** All versions and delete markers: by key in byte order, within a key the newest first. */
export function listObjectVersions(reader: Reader, request: ListRequest): Promise<ObjectPage> {
  return listPage(reader, request, async (on, from, below, limit) => {
    const { key, isInclusive, versionId } = from;
    const rest = versionId === undefined ? [] : await olderVersions(on, request.bucket, key, versionId, limit);
    if (rest.length === limit) return rest;
    const values: SqlValue[] = [request.bucket, key];
    if (below !== null) values.push(below);
    const range = `object_key ${isInclusive ? '>=' : '>'} ?${below === null ? '' : ' and object_key < ?'}`;
    const statement = `select * from objects where bucket = ? and ${range} order by object_key, seq desc limit ?`;
    return [...rest, ...(await on.rows<ObjectRow>(statement, [...values, limit - rest.length]))];
  });
}

/**
 * Versions of a key below one that was told. Should that one be gone by now, all of them are told again: telling one twice
 * is better than leaving one out.
 */
function olderVersions(
  reader: Reader,
  bucket: string,
  key: string,
  versionId: string,
  limit: number,
): Promise<ObjectRow[]> {
  const statement = `select * from objects where bucket = ? and object_key = ? and seq < coalesce(
      (select seq from objects where bucket = ? and object_key = ? and version_id = ?), 9007199254740991)
    order by seq desc limit ?`;
  return reader.rows<ObjectRow>(statement, [bucket, key, bucket, key, versionId, limit]);
}
