import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { type BucketSettings, defaultBucketSettings } from '../bucket.ts';
import type { BucketRow } from '../tables.ts';
import type { DescribedContent } from './describe-blob.ts';
import { type RebuildReport, tell } from './report.ts';
import { restoreBucket } from './restore-key.ts';

export interface EnterBuckets {
  readonly store: Store;
  readonly clock: Clock;
  readonly report: RebuildReport;
  readonly isDryRun: boolean;
}

const told = 'select told from rebuild_buckets where name > ? order by name limit 1000';
const oneOf = 'select told from rebuild_contents where bucket = ? limit 1';
const versioned = `select 1 from rebuild_contents where bucket = ? and told like '%"version":{"id":"v-%' limit 1`;
const mostCopies = `select max(n) as n from (select count(distinct c.backend) as n from rebuild_contents d
  join rebuild_copies c on c.content_id = d.content_id and c.part = d.part where d.bucket = ? group by d.content_id, d.part) counts`;

/** Enters the buckets that the backup tells of. Gives how to find any bucket; one that nothing tells of is made. */
export async function enterBuckets(options: EnterBuckets): Promise<(name: string) => Promise<BucketRow>> {
  const { store } = options;
  let after = '';
  for (;;) {
    const rows = await store.read((reader) => reader.rows<{ told: string }>(told, [after]));
    for (const { told: text } of rows) {
      const row = JSON.parse(text) as BucketRow;
      await enter(options, row);
      after = row.name;
    }
    if (rows.length === 0) break;
  }
  let latest: BucketRow | null = null;
  // Keys come in the order of their buckets.
  return async (name) => (latest?.name === name ? latest : (latest = await findOrMake(options, name)));
}

async function enter({ store, report, isDryRun }: EnterBuckets, row: BucketRow): Promise<void> {
  const isNew = isDryRun ? (await standing(store, row.name)) === null : await store.write(restoreBucket, row);
  if (isNew) report.buckets++;
}

async function standing(store: Store, name: string): Promise<BucketRow | null> {
  const statement = 'select * from buckets where name = ?';
  const [row] = await store.read((reader) => reader.rows<BucketRow>(statement, [name]));
  return row ?? null;
}

/** Needed where nothing is entered. */
async function toldOf(store: Store, name: string): Promise<BucketRow | null> {
  const statement = 'select told from rebuild_buckets where name = ?';
  const [row] = await store.read((reader) => reader.rows<{ told: string }>(statement, [name]));
  return row === undefined ? null : (JSON.parse(row.told) as BucketRow);
}

async function findOrMake(options: EnterBuckets, name: string): Promise<BucketRow> {
  const { store, clock, report } = options;
  const known = (await standing(store, name)) ?? (await toldOf(store, name));
  if (known !== null) return known;
  const row = await guess(store, name, clock.nowMs());
  const { copies, versioning } = JSON.parse(row.settings) as BucketSettings;
  const sentence = `Nothing tells of the bucket ${name}: its owner is ${row.owner}, it has ${copies} copies, versioning is ${versioning}.`;
  tell(report, 'bucket', `${sentence} Look at its settings.`);
  await enter(options, row);
  return row;
}

/** As many copies as most of its contents had, and versions where any blob was written as one. */
async function guess(store: Store, name: string, nowMs: number): Promise<BucketRow> {
  const [content] = await store.read((reader) => reader.rows<{ told: string }>(oneOf, [name]));
  const isVersioned = (await store.read((reader) => reader.rows(versioned, [name]))).length > 0;
  const [most] = await store.read((reader) => reader.rows<{ n: number | string | null }>(mostCopies, [name]));
  const owner = content === undefined ? undefined : (JSON.parse(content.told) as DescribedContent).version?.owner;
  const settings: BucketSettings = {
    ...defaultBucketSettings,
    copies: Math.max(1, Number(most?.n ?? 1)),
    versioning: isVersioned ? 'enabled' : 'off',
  };
  return { name, owner: owner ?? 'rebuilt', settings: JSON.stringify(settings), version: 1, created_at: nowMs };
}
