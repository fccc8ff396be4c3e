import type { Reader } from '../../kernel/store/store.ts';
import type { Bucket } from '../bucket.ts';
import { toBucket, toCopy } from '../rows.ts';
import type { BucketRow, CopyRow } from '../tables.ts';
import type { Copy } from '../object.ts';

const copiesPerPage = 2_000;

const ending = `select content_id from copies where content_id > ? order by content_id, part, backend limit 1 offset ?`;
const between = (end: string) => `content_id > ?${end === '' ? '' : ' and content_id <= ?'}`;
const copies = (end: string) => `select * from copies c where ${between(end)} and not exists
  (select 1 from shortfalls f where f.content_id = c.content_id and f.part = c.part) and not exists
  (select 1 from surpluses f where f.content_id = c.content_id and f.part = c.part) order by content_id, part, backend`;
const owners = (end: string) => `select distinct content_id, bucket from objects where ${between(end)}`;

/** A part with all its copies, of which others want neither more nor fewer now. */
export interface StandingPart {
  readonly bucket: Bucket;
  readonly copies: readonly Copy[];
}

export interface PartsPage {
  readonly parts: readonly StandingPart[];
  /** Where the next page begins; empty after the last one. */
  readonly end: string;
}

export async function readBuckets(reader: Reader): Promise<ReadonlyMap<string, Bucket>> {
  const rows = await reader.rows<BucketRow>('select * from buckets', []);
  return new Map(rows.map((row) => [row.name, toBucket(row)]));
}

/** A page of all parts of objects in order of their contents. A content that buckets share is the one's that wants most. */
export async function readParts(
  reader: Reader,
  after: string,
  buckets: ReadonlyMap<string, Bucket>,
): Promise<PartsPage> {
  const [last] = await reader.rows<{ content_id: string }>(ending, [after, copiesPerPage]);
  const end = last?.content_id ?? '';
  const bounds = end === '' ? [after] : [after, end];
  const rows = await reader.rows<CopyRow>(copies(end), bounds);
  const bucketOf = new Map<string, Bucket>();
  for (const row of await reader.rows<{ content_id: string; bucket: string }>(owners(end), bounds)) {
    const bucket = buckets.get(row.bucket);
    const known = bucketOf.get(row.content_id);
    const isMore = bucket !== undefined && bucket.settings.copies > (known?.settings.copies ?? 0);
    if (isMore) bucketOf.set(row.content_id, bucket);
  }
  const parts: StandingPart[] = [];
  for (const group of Map.groupBy(rows, (row) => `${row.content_id}/${row.part}`).values()) {
    const bucket = bucketOf.get(group[0]!.content_id);
    if (bucket === undefined || group.length !== bucket.settings.copies) continue;
    parts.push({ bucket, copies: group.map((row) => ({ ...toCopy(row), storedBytes: row.stored_bytes })) });
  }
  return { parts, end };
}
