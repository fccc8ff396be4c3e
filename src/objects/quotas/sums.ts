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

/** Books that are counted and say something else than the rows: must not be. It is one statement, and so one moment. */
export const wrongBooks = `select * from (${ofBuckets} union all ${ofUsers}) b
  where b.counted_at is not null and (b.used_bytes <> b.bytes or b.used_objects <> b.objects)`;

/** Where something stands, for counting: a version under its key, and a part of an open upload under that of the upload. */
export interface Place {
  readonly bucket: string;
  readonly key: string;
}

/** What a subject's rows have in common, and where they are; a user's are everywhere, as there is no index by owner. */
interface Range {
  readonly where: (table: 'o' | 'u') => string;
  readonly values: readonly string[];
  readonly owned: string;
  readonly owner: readonly string[];
}

function rangeOf(subject: string, after: Place, upTo: Place | null): Range {
  if (subject.startsWith('bucket:')) {
    const end = upTo === null ? '' : ' and T.object_key <= ?';
    return {
      where: (table) => `T.bucket = ? and T.object_key > ?${end}`.replaceAll('T.', `${table}.`),
      values: [after.bucket, after.key, ...(upTo === null ? [] : [upTo.key])],
      owned: '',
      owner: [],
    };
  }
  const end = upTo === null ? '' : ' and (T.bucket, T.object_key) <= (?, ?)';
  return {
    where: (table) => `(T.bucket, T.object_key) > (?, ?)${end}`.replaceAll('T.', `${table}.`),
    values: [after.bucket, after.key, ...(upTo === null ? [] : [upTo.bucket, upTo.key])],
    owned: 'T.owner = ?',
    owner: [subject.slice('user:'.length)],
  };
}

/**
 * The last key of the next page after a place, which has `rows` rows and those of its last key; `null` when there are no more
 * than that. A key is never cut, so one with more versions than that is a longer page.
 */
export async function pageEnd(reader: Reader, subject: string, after: Place, rows: number): Promise<Place | null> {
  const { where, values } = rangeOf(subject, after, null);
  const nth = (columns: string, from: string, order: string) =>
    `select * from (select ${columns} from ${from} order by ${order} limit 1 offset ?) ${order.slice(0, 1)}`;
  const versions = nth('o.bucket, o.object_key', `objects o where ${where('o')}`, 'o.bucket, o.object_key');
  const joined = 'uploads u left join object_parts p on p.content_id = u.upload_id';
  const parts = nth(
    'u.bucket, u.object_key',
    `${joined} where u.state = 'open' and ${where('u')}`,
    'u.bucket, u.object_key',
  );
  const first = `select * from (${versions} union all ${parts}) e order by bucket, object_key limit 1`;
  const bounds = [...values, rows - 1];
  const [found] = await reader.rows<{ bucket: string; object_key: string }>(first, [...bounds, ...bounds]);
  return found === undefined ? null : { bucket: found.bucket, key: found.object_key };
}

/** What stands for a subject after a place and up to another, or to the end. It is one statement, and so one moment. */
export async function pageSums(
  reader: Reader,
  subject: string,
  after: Place,
  upTo: Place | null,
): Promise<{ readonly bytes: number; readonly objects: number }> {
  const { where, values, owned, owner } = rangeOf(subject, after, upTo);
  const of = (table: 'o' | 'u') => where(table) + (owned === '' ? '' : ` and ${owned.replace('T.', `${table}.`)}`);
  const statement = `select coalesce(sum(o.size_bytes), 0) as bytes, coalesce(sum(1 - o.is_marker), 0) as objects,
    (select coalesce(sum(p.size_bytes), 0) ${openParts} and ${of('u')}) as part_bytes from objects o where ${of('o')}`;
  const [row] = await reader.rows<Readonly<Record<'bytes' | 'objects' | 'part_bytes', number | string>>>(statement, [
    ...values,
    ...owner,
    ...values,
    ...owner,
  ]);
  return { bytes: Number(row!.bytes) + Number(row!.part_bytes), objects: Number(row!.objects) };
}
