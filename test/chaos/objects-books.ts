import type { Reader } from '../../src/kernel/store/store.ts';
import { chaosBuckets } from './objects-workload.ts';

/** `own`: copies that were made for this bucket, as their names tell. */
const counts = `select o.bucket, c.content_id, c.part, count(*) as n,
    sum(case when c.storage_key like o.bucket || '/%' then 1 else 0 end) as own
  from copies c join (select distinct bucket, content_id from objects) o on o.content_id = c.content_id
  group by o.bucket, c.content_id, c.part`;

/**
 * Contents that have not as many copies as their bucket wants. One that is or was shared with another bucket may have more,
 * since that one may have wanted more.
 */
export async function wrongCopyCounts(reader: Reader): Promise<string[]> {
  const rows = await reader.rows<Record<'bucket' | 'content_id' | 'part' | 'n' | 'own', unknown>>(counts, []);
  const faults: string[] = [];
  for (const { bucket, content_id, part, n, own } of rows) {
    const wanted = chaosBuckets.find(({ name }) => name === bucket)!.copies;
    const isOwn = Number(own) === Number(n);
    if (isOwn ? Number(n) === wanted : Number(n) >= wanted) continue;
    faults.push(`part ${part} of content ${content_id} in ${bucket} has ${n} copies of ${wanted}`);
  }
  return faults;
}

const owning = ['objects', 'copies', 'object_parts', 'intents', 'cleanup', 'shortfalls'];

/** What the books still hold when there is nothing to hold any more. */
export async function leftInBooks(reader: Reader): Promise<string[]> {
  const left: string[] = [];
  for (const table of owning) {
    const [row] = await reader.rows<{ n: number | string }>(`select count(*) as n from ${table}`, []);
    if (Number(row!.n) !== 0) left.push(`${table} has ${row!.n} rows`);
  }
  const stripes = await reader.rows<{ backend: string; stripe: number; used_bytes: number }>(
    'select * from backend_stripes where used_bytes <> 0',
    [],
  );
  return [...left, ...stripes.map((row) => `stripe ${row.stripe} of ${row.backend} holds ${row.used_bytes} bytes`)];
}
