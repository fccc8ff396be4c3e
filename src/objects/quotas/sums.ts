import type { Reader } from '../../kernel/store/store.ts';
import { rewriteOwner } from '../object.ts';

const openParts = `from uploads u join object_parts p on p.content_id = u.upload_id where u.state = 'open'
  and u.owner <> '${rewriteOwner}'`;

const ofBuckets = `select q.subject, q.used_bytes, q.used_objects, q.counted_at,
  (select coalesce(sum(o.size_bytes), 0) from objects o where o.bucket = substr(q.subject, 8))
    + (select coalesce(sum(p.size_bytes), 0) ${openParts} and u.bucket = substr(q.subject, 8)) as bytes,
  (select count(*) from objects o where o.bucket = substr(q.subject, 8) and o.is_marker = 0) as objects
  from quota_books q where q.subject like 'bucket:%'`;
const ofUsers = `select q.subject, q.used_bytes, q.used_objects, q.counted_at,
  (select coalesce(sum(o.size_bytes), 0) from objects o where o.owner = substr(q.subject, 6))
    + (select coalesce(sum(p.size_bytes), 0) ${openParts} and u.owner = substr(q.subject, 6)) as bytes,
  (select count(*) from objects o where o.owner = substr(q.subject, 6) and o.is_marker = 0) as objects
  from quota_books q where q.subject like 'user:%'`;

/** What stands by the rows themselves, beside what the books say. */
export interface QuotaSums {
  readonly usedBytes: number;
  readonly usedObjects: number;
  readonly bytes: number;
  readonly objects: number;
}

interface Row {
  readonly used_bytes: number;
  readonly used_objects: number;
  readonly bytes: number | string;
  readonly objects: number | string;
}

/**
 * Sums up what stands for one subject. It is one statement, and so one moment: as the books change with the rows, the two
 * agree while others write, without any lock. `null` when there are no books.
 */
export async function sumsOf(reader: Reader, subject: string): Promise<QuotaSums | null> {
  const statement = `${subject.startsWith('bucket:') ? ofBuckets : ofUsers} and q.subject = ?`;
  const [row] = await reader.rows<Row>(statement, [subject]);
  if (row === undefined) return null;
  const { used_bytes: usedBytes, used_objects: usedObjects, bytes, objects } = row;
  return { usedBytes, usedObjects, bytes: Number(bytes), objects: Number(objects) };
}

/** Books that are counted and say something else than the rows: must not be. */
export const wrongBooks = `select * from (${ofBuckets} union all ${ofUsers}) b
  where b.counted_at is not null and (b.used_bytes <> b.bytes or b.used_objects <> b.objects)`;
