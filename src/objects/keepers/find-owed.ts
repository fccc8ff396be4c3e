import { setImmediate as others } from 'node:timers/promises';
import type { Clock } from '../../kernel/ids.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import { oweCopies } from '../ledger/owe-copies.ts';
import { toBucket } from '../rows.ts';
import type { BucketRow } from '../tables.ts';

/** So many copies are looked at in one read, which holds up others of an embedded store for a few milliseconds. */
const copiesPerPage = 2_000;
/** In one go, so that it costs the same however many there are; more only while copies are found to be owed. */
const pagesPerGo = 5;
const pagesMax = 500;
/** So many are noted in one transaction. */
const notesMax = 500;

const ending = `select content_id from copies where content_id > ? order by content_id, part, backend limit 1 offset ?`;
const few = (
  end: string,
) => `select content_id, part, count(*) as n from copies c where content_id > ?${end} and not exists
  (select 1 from shortfalls f where f.content_id = c.content_id and f.part = c.part) group by content_id, part
  having count(*) < ?`;
const wanted = (end: string) => `select distinct s.content_id, s.part, s.n, o.bucket from (${few(end)}) s
    join objects o on o.content_id = s.content_id
  union select s.content_id, s.part, s.n, u.bucket from (${few(end)}) s
    join uploads u on u.upload_id = s.content_id and u.state = 'open'`;

interface Row {
  readonly content_id: string;
  readonly part: number;
  readonly n: number | string;
  readonly bucket: string;
}

interface Page {
  /** Where the next page begins; empty after the last one. */
  readonly end: string;
  readonly owed: readonly { readonly contentId: string; readonly part: number; readonly bucket: string }[];
}

/**
 * Goes through all copies in turn, some each time it is asked, and notes what has fewer than its bucket wants: a bucket
 * that wants more than before says so of itself alone, since what it holds may be millions of objects.
 */
export function owedFinder(store: Store, clock: Clock): (signal: AbortSignal) => Promise<void> {
  let after = '';
  return async (signal) => {
    for (let page = 1; page <= pagesMax && !signal.aborted; page++) {
      const { end, owed } = await store.read((reader) => lookFrom(reader, after));
      for (let at = 0; at < owed.length; at += notesMax) {
        await store.write(oweCopies, { items: owed.slice(at, at + notesMax), nowMs: clock.nowMs() });
      }
      after = end;
      // Where one is owed the next ones may well be, and else there is no hurry.
      if (end === '' || (owed.length === 0 && page >= pagesPerGo)) return;
      await others();
    }
  };
}

async function lookFrom(reader: Reader, after: string): Promise<Page> {
  const buckets = (await reader.rows<BucketRow>('select * from buckets', [])).map(toBucket);
  const copiesOf = new Map(buckets.map(({ name, settings }) => [name, settings.copies]));
  const most = buckets.reduce((copies, { settings }) => Math.max(copies, settings.copies), 1);
  if (most === 1) return { end: '', owed: [] };
  const [last] = await reader.rows<{ content_id: string }>(ending, [after, copiesPerPage]);
  const end = last?.content_id ?? '';
  const bounds = end === '' ? [after, most] : [after, end, most];
  const rows = await reader.rows<Row>(wanted(end === '' ? '' : ' and content_id <= ?'), [...bounds, ...bounds]);
  const owed = rows
    .filter(({ bucket, n }) => Number(n) < (copiesOf.get(bucket) ?? 1))
    .map(({ content_id: contentId, part, bucket }) => ({ contentId, part, bucket }));
  return { end, owed };
}
