import type { Reader } from '../../kernel/store/store.ts';
import type { Bucket, BucketSettings } from '../bucket.ts';
import { readStorageClasses } from '../ledger/storage-classes.ts';
import { type ContentWishes, chooseWishes } from '../ledger/wanted-copies.ts';
import { toBucket, toCopy } from '../rows.ts';
import { type StorageClass, settingsIn, standardClass } from '../storage-class.ts';
import type { BucketRow, CopyRow } from '../tables.ts';
import type { Copy } from '../object.ts';

/** So many are looked at in one read, which holds up others of an embedded store for a few milliseconds. */
const copiesPerPage = 500;

const ending = `select content_id from copies where content_id > ? order by content_id, part, backend limit 1 offset ?`;
const between = (end: string) => `content_id > ?${end === '' ? '' : ' and content_id <= ?'}`;
const copies = (end: string) => `select * from copies c where ${between(end)} and not exists
  (select 1 from shortfalls f where f.content_id = c.content_id and f.part = c.part) and not exists
  (select 1 from surpluses f where f.content_id = c.content_id and f.part = c.part) order by content_id, part, backend`;
const owners = (end: string) => `select distinct content_id, bucket, storage_class from objects where ${between(end)}`;

/** A part with all its copies, of which others want neither more nor fewer now. */
export interface StandingPart {
  readonly wishes: ContentWishes;
  readonly copies: readonly Copy[];
}

export interface PartsPage {
  readonly parts: readonly StandingPart[];
  /** Where the next page begins; empty after the last one. */
  readonly end: string;
}

interface OwnerRow {
  readonly content_id: string;
  readonly bucket: string;
  readonly storage_class: string;
}

/** What buckets and storage classes demand of all that there is. */
export interface Demands {
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly classes: readonly StorageClass[];
}

export async function readDemands(reader: Reader): Promise<Demands> {
  const rows = await reader.rows<BucketRow>('select * from buckets', []);
  return { buckets: new Map(rows.map((row) => [row.name, toBucket(row)])), classes: await readStorageClasses(reader) };
}

/** The settings that hold for anything: of each bucket, in each class. */
export function allSettings({ buckets, classes }: Demands): BucketSettings[] {
  const names = [standardClass, ...classes.map(({ name }) => name)];
  return [...buckets.values()].flatMap(({ settings }) => names.map((name) => settingsIn(settings, classes, name)));
}

/** A page of all parts of objects in order of their contents. A content that buckets share is the one's that wants most. */
export async function readParts(reader: Reader, after: string, { buckets, classes }: Demands): Promise<PartsPage> {
  const [last] = await reader.rows<{ content_id: string }>(ending, [after, copiesPerPage]);
  const end = last?.content_id ?? '';
  const bounds = end === '' ? [after] : [after, end];
  const rows = await reader.rows<CopyRow>(copies(end), bounds);
  const owning = await reader.rows<OwnerRow>(owners(end), bounds);
  const ownersOf = Map.groupBy(owning, (row) => row.content_id);
  const parts: StandingPart[] = [];
  for (const group of Map.groupBy(rows, (row) => `${row.content_id}/${row.part}`).values()) {
    const references = (ownersOf.get(group[0]!.content_id) ?? []).flatMap((row) => {
      const bucket = buckets.get(row.bucket);
      return bucket === undefined ? [] : [{ bucket, storageClass: row.storage_class }];
    });
    const wishes = chooseWishes(references, classes);
    if (wishes === null || group.length !== wishes.settings.copies) continue;
    parts.push({ wishes, copies: group.map((row) => ({ ...toCopy(row), storedBytes: row.stored_bytes })) });
  }
  return { parts, end };
}
