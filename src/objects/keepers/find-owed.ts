import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../kernel/ids.ts';
import { KeeperMark } from '../../kernel/keepers/mark.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import { oweCopies } from '../ledger/owe-copies.ts';
import { type PartRef, noteSurpluses } from '../ledger/surpluses.ts';
import { toBucket } from '../rows.ts';
import type { BucketRow } from '../tables.ts';

/** So many copies are looked at in one read, which holds up others of an embedded store for a few milliseconds. */
const copiesPerPage = 500;
/** In one go, so that it costs the same however many there are; more only while something is found. */
const pagesPerGo = 20;
const pagesMax = 2_000;
/** After a page others have the store, and on an embedded one the process, for so many times as long as it took. */
const restFactor = 3;
/** So many are noted in one transaction. */
const notesMax = 100;
/** How long after a round the next one begins when no bucket was changed: only a crash leaves anything to be found. */
const restMs = 6 * 3_600_000;

const ending = `select content_id from copies where content_id > ? order by content_id, part, backend limit 1 offset ?`;
const between = (column: string, end: string) => `${column} > ?${end === '' ? '' : ` and ${column} <= ?`}`;
/** What a migration leaves stays until it is switched: such a copy makes no other one of too many. */
const staying = `sum(case when c.backend in (select name from object_backends where state = 'migrating') then 0 else 1 end)`;
const noted = (table: 'shortfalls' | 'surpluses') =>
  `exists (select 1 from ${table} f where f.content_id = c.content_id and f.part = c.part)`;
/** While a copy is owed none is too many. What was noted as having too many may have too few by now, where more are wanted. */
const odd = (end: string) => `select content_id, part, count(*) as n, ${staying} as staying,
    case when ${noted('surpluses')} then 1 else 0 end as is_surplus
  from copies c where ${between('content_id', end)} and not ${noted('shortfalls')} group by content_id, part
  having count(*) < ? or (${staying} > ? and not ${noted('surpluses')})`;
const referring = (end: string) => `select content_id, bucket from objects where ${between('content_id', end)}
  union select upload_id as content_id, bucket from uploads where ${between('upload_id', end)} and state = 'open'`;

interface Row {
  readonly content_id: string;
  readonly part: number;
  readonly n: number | string;
  readonly staying: number | string;
  readonly is_surplus: number;
}

/** Where the round is, and what the buckets wanted when it began. */
interface Mark {
  readonly after: string;
  readonly wishes: number;
  /** When the last page was looked at; `null` in the middle. */
  readonly doneAtMs: number | null;
}

interface Page {
  /** Where the next page begins; empty after the last one. */
  readonly end: string;
  readonly owed: readonly (PartRef & { readonly bucket: string })[];
  readonly surplus: readonly PartRef[];
}

/** Looks for parts that have fewer or more copies than their buckets want. */
export interface OwedFinder {
  /** What the next {@link find} would look at, page by page. Only reads. */
  pages(signal: AbortSignal): AsyncGenerator<FoundPage>;
  /** Notes what the pages have, and keeps the place. */
  find(signal: AbortSignal): Promise<void>;
}

/** A page with the place that the next one begins at. */
interface FoundPage extends Page {
  readonly mark: Mark;
}

/**
 * Goes through all copies in turn, some each time it is asked, and notes what has fewer or more than its bucket wants: a
 * bucket that wants another number than before says so of itself alone, since what it holds may be millions of objects.
 * Where the round is stands in the store; after a round it rests until a bucket is changed.
 */
export function owedFinder(store: Store, clock: Clock, keeper: string): OwedFinder {
  const place = new KeeperMark(store, keeper);
  async function* pages(signal: AbortSignal): AsyncGenerator<FoundPage> {
    const { copiesOf, wishes } = await store.read(readWishes);
    const text = await place.load();
    const known: Mark = text === null ? { after: '', wishes, doneAtMs: null } : (JSON.parse(text) as Mark);
    const isResting =
      known.doneAtMs !== null && known.wishes === wishes && Math.abs(clock.nowMs() - known.doneAtMs) < restMs;
    if (isResting || copiesOf.size === 0) return;
    let mark: Mark = known.doneAtMs === null ? known : { after: '', wishes, doneAtMs: null };
    for (let count = 1; count <= pagesMax && !signal.aborted; count++) {
      const beganAtMs = performance.now();
      const page = await store.read((reader) => lookFrom(reader, mark.after, copiesOf));
      const tookMs = performance.now() - beganAtMs;
      mark = { ...mark, after: page.end, doneAtMs: page.end === '' ? clock.nowMs() : null };
      yield { ...page, mark };
      // Where something is found the next ones may well be, and else there is no hurry.
      if (page.end === '' || (page.owed.length + page.surplus.length === 0 && count >= pagesPerGo)) return;
      await delay(tookMs * restFactor);
    }
  }
  return {
    pages,
    find: async (signal) => {
      let reached: Mark | null = null;
      for await (const { owed, surplus, mark } of pages(signal)) {
        for (let at = 0; at < owed.length; at += notesMax) {
          await store.write(oweCopies, { items: owed.slice(at, at + notesMax), nowMs: clock.nowMs() });
        }
        for (let at = 0; at < surplus.length; at += notesMax) {
          await store.write(noteSurpluses, { items: surplus.slice(at, at + notesMax), nowMs: clock.nowMs() });
        }
        reached = mark;
      }
      if (reached !== null) await place.save(JSON.stringify(reached));
    },
  };
}

/** How many copies each bucket wants, and a number that is another one when one of them changes. */
async function readWishes(reader: Reader): Promise<{ copiesOf: ReadonlyMap<string, number>; wishes: number }> {
  const buckets = (await reader.rows<BucketRow>('select * from buckets order by name', [])).map(toBucket);
  const copiesOf = new Map(buckets.map(({ name, settings }) => [name, settings.copies]));
  return { copiesOf, wishes: crc32(JSON.stringify([...copiesOf])) };
}

async function lookFrom(reader: Reader, after: string, copiesOf: ReadonlyMap<string, number>): Promise<Page> {
  const [most, least] = [Math.max(...copiesOf.values()), Math.min(...copiesOf.values())];
  const [last] = await reader.rows<{ content_id: string }>(ending, [after, copiesPerPage]);
  const end = last?.content_id ?? '';
  const bounds = end === '' ? [after] : [after, end];
  const rows = await reader.rows<Row>(odd(end), [...bounds, most, least]);
  const surplus: PartRef[] = [];
  const owed: (PartRef & { bucket: string })[] = [];
  if (rows.length === 0) return { end, owed, surplus };
  const buckets = await reader.rows<{ content_id: string; bucket: string }>(referring(end), [...bounds, ...bounds]);
  const bucketsOf = Map.groupBy(buckets, (row) => row.content_id);
  for (const { content_id: contentId, part, n, staying: kept, is_surplus: isSurplus } of rows) {
    const sharers = bucketsOf.get(contentId);
    if (sharers === undefined) continue;
    const wanted = Math.max(...sharers.map(({ bucket }) => copiesOf.get(bucket) ?? 1));
    if (Number(n) < wanted) owed.push({ contentId, part, bucket: sharers[0]!.bucket });
    if (Number(kept) > wanted && isSurplus === 0) surplus.push({ contentId, part });
  }
  return { end, owed, surplus };
}
