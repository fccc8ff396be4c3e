import type { Reader } from '../../kernel/store/store.ts';
import { wrongBooks } from '../quotas/sums.ts';
import { toBucket } from '../rows.ts';
import type { BucketRow } from '../tables.ts';
import type { Finding } from './report.ts';

const told = 200;

/** What the ledger says of itself: each statement gives rows that must not be. */
const laws: readonly {
  readonly kind: Finding['kind'];
  readonly sql: string;
  say(row: Record<string, unknown>): string;
}[] = [
  {
    kind: 'misplaced_latest',
    sql: `select bucket, object_key, sum(is_latest) as n from objects group by bucket, object_key having sum(is_latest) <> 1 limit ${told}`,
    say: (row) => `${row['bucket']}/${row['object_key']} has ${row['n']} latest versions`,
  },
  {
    kind: 'misplaced_latest',
    sql: `select o.bucket, o.object_key from objects o where o.is_latest = 1 and exists (select 1 from objects n
      where n.bucket = o.bucket and n.object_key = o.object_key and n.seq > o.seq) limit ${told}`,
    say: (row) => `the latest version of ${row['bucket']}/${row['object_key']} is not the newest`,
  },
  {
    kind: 'misplaced_latest',
    sql: `select bucket, object_key, version_id from objects where (is_latest = 1 and noncurrent_at is not null)
      or (is_latest = 0 and noncurrent_at is null) limit ${told}`,
    say: (row) =>
      `version ${row['version_id']} of ${row['bucket']}/${row['object_key']} is not current since the right time`,
  },
  {
    kind: 'lost',
    sql: `select o.bucket, o.object_key, o.version_id from objects o where o.is_marker = 0 and not exists
      (select 1 from copies c where c.content_id = o.content_id) limit ${told}`,
    say: (row) => `${row['bucket']}/${row['object_key']} (version ${row['version_id']}) has no copy`,
  },
  {
    kind: 'lost',
    sql: `select p.content_id, p.part from object_parts p where not exists
      (select 1 from copies c where c.content_id = p.content_id and c.part = p.part) limit ${told}`,
    say: (row) => `part ${row['part']} of content ${row['content_id']} has no copy`,
  },
  {
    kind: 'dangling',
    sql: `select c.content_id, c.backend, c.storage_key from copies c where not exists (select 1 from objects o
      where o.content_id = c.content_id) and not exists (select 1 from uploads u where u.upload_id = c.content_id
      and u.state = 'open') limit ${told}`,
    say: (row) => `copy ${row['storage_key']} on ${row['backend']} belongs to no object and no upload`,
  },
  {
    kind: 'dangling',
    sql: `select c.backend, c.storage_key from copies c join cleanup q on q.backend = c.backend and q.storage_key = c.storage_key limit ${told}`,
    say: (row) => `copy ${row['storage_key']} on ${row['backend']} is in the ledger and queued for deletion`,
  },
  {
    kind: 'dangling',
    sql: `select bucket, object_key, version_id, storage_class from objects where storage_class <> 'STANDARD'
      and storage_class not in (select name from storage_classes) limit ${told}`,
    say: (row) =>
      `${row['bucket']}/${row['object_key']} (version ${row['version_id']}) is in the class ${row['storage_class']}, which is not there`,
  },
  {
    kind: 'wrong_size',
    sql: `select o.bucket, o.object_key, o.size_bytes, (select sum(c.size_bytes) from copies c where c.content_id = o.content_id)
      as copied from objects o where o.is_marker = 0 and (select count(distinct c.backend) from copies c
      where c.content_id = o.content_id) = 1 and o.size_bytes <> (select sum(c.size_bytes) from copies c
      where c.content_id = o.content_id) limit ${told}`,
    say: (row) => `${row['bucket']}/${row['object_key']} has ${row['size_bytes']} bytes and its copy ${row['copied']}`,
  },
  {
    kind: 'wrong_sum',
    sql: `select b.name, coalesce((select sum(used_bytes) from backend_stripes s where s.backend = b.name), 0) as used_bytes,
      coalesce((select sum(stored_bytes) from copies c where c.backend = b.name), 0)
      + coalesce((select sum(stored_bytes) from intents i where i.backend = b.name), 0)
      + coalesce((select sum(stored_bytes) from cleanup q where q.backend = b.name), 0) as owned_bytes
      from object_backends b`,
    say: (row) => `the books of ${row['name']} say ${row['used_bytes']} bytes, and ${row['owned_bytes']} are owned`,
  },
  {
    kind: 'wrong_quota',
    sql: `${wrongBooks} limit ${told}`,
    say: (row) =>
      `the books of ${row['subject']} say ${row['used_bytes']} bytes in ${row['used_objects']} objects, and there are ${row['bytes']} in ${row['objects']}`,
  },
];

/** Findings in the ledger alone. One statement is one moment, so they hold while others write. */
export async function checkLedger(reader: Reader): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { kind, sql, say } of laws) {
    for (const row of await reader.rows<Record<string, unknown>>(sql, [])) {
      if (kind === 'wrong_sum' && Number(row['used_bytes']) === Number(row['owned_bytes'])) continue;
      findings.push({ kind, detail: `${say(row)}.` });
    }
  }
  return [...findings, ...(await checkCopyCounts(reader))];
}

const few = `select c.content_id, c.part, count(*) as n from copies c where exists (select 1 from objects o
    where o.content_id = c.content_id and o.bucket = ?) and not exists (select 1 from shortfalls s
    where s.content_id = c.content_id and s.part = c.part)
  group by c.content_id, c.part having count(*) < ? limit ${told}`;

/** Contents with fewer copies than their bucket wants, that are not queued for more. */
async function checkCopyCounts(reader: Reader): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const bucket of (await reader.rows<BucketRow>('select * from buckets', [])).map(toBucket)) {
    const wanted = bucket.settings.copies;
    if (wanted < 2) continue;
    const rows = await reader.rows<{ content_id: string; part: number; n: number }>(few, [bucket.name, wanted]);
    for (const { content_id, part, n } of rows) {
      findings.push({ kind: 'short', detail: `Content ${content_id} part ${part} has ${n} of ${wanted} copies.` });
    }
  }
  return findings;
}
