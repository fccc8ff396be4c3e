import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { CopyRow } from '../tables.ts';
import type { DescribedContent } from './describe-blob.ts';
import { isNewer } from './plan-key.ts';
import { type RebuildReport, tell } from './report.ts';
import { disposeSuperseded } from './restore-key.ts';

export interface LeftoverOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly report: RebuildReport;
  readonly asOfMs: number | null;
  readonly isDryRun: boolean;
  /** Whether nothing is deleted, since the ledger in use may be the one that is wrong. */
  readonly isKept: boolean;
  readonly signal: AbortSignal;
}

interface LeftCopy {
  readonly backend: string;
  readonly storage_key: string;
  readonly told: string;
  readonly described: string | null;
  readonly is_standing: number;
  readonly is_told: number;
  readonly null_at: number | null;
}

const pageSize = 200;
/** Copies that stand and that no key has taken, with what decides on them. */
const left = `select f.backend, f.storage_key, f.told, d.told as described,
    case when exists (select 1 from copies c where c.content_id = f.content_id and c.part = f.part) or exists
      (select 1 from rebuild_copies t where t.content_id = f.content_id and t.part = f.part and t.is_found = 2)
      then 1 else 0 end as is_standing,
    case when exists (select 1 from rebuild_versions v where v.content_id = f.content_id) then 1 else 0 end as is_told,
    (select o.modified_at from objects o where o.bucket = d.bucket and o.object_key = d.object_key and o.version_id = 'null')
      as null_at
  from rebuild_copies f left join rebuild_contents d on d.content_id = f.content_id and d.part = f.part
  where f.is_found = 1 and (f.backend, f.storage_key) > (?, ?) and not exists
    (select 1 from copies c where c.backend = f.backend and c.storage_key = f.storage_key)
  order by f.backend, f.storage_key limit ?`;

/** Queues copies for deletion that belong to nothing any more, where that is certain, and tells of the others. */
export async function settleLeftovers(options: LeftoverOptions): Promise<void> {
  const { store, clock, report, signal } = options;
  let after = ['', ''];
  for (;;) {
    signal.throwIfAborted();
    const rows = await store.read((reader) => reader.rows<LeftCopy>(left, [...after, pageSize]));
    const superseded: CopyRow[] = [];
    for (const row of rows) {
      if (!options.isKept && isSuperseded(row, options.asOfMs)) superseded.push(JSON.parse(row.told) as CopyRow);
      else {
        report.unknown++;
        const sentence = `${row.storage_key} on ${row.backend} belongs to no version that could be rebuilt.`;
        tell(report, 'unknown', sentence);
      }
    }
    if (!options.isDryRun) await store.write(disposeSuperseded, { rows: superseded, nowMs: clock.nowMs() });
    report.superseded += superseded.length;
    if (rows.length < pageSize) return;
    const last = rows.at(-1)!;
    after = [last.backend, last.storage_key];
  }
}

function isSuperseded(row: LeftCopy, asOfMs: number | null): boolean {
  // Another writing of a part, or a second copy on one backend.
  if (row.is_standing === 1) return true;
  // What remains of a version that is lost is kept: somebody may find the rest.
  if (row.is_told === 1) return false;
  const content = row.described === null ? null : (JSON.parse(row.described) as DescribedContent);
  // The blob itself does not say what it is.
  if (content === null) return false;
  if (!isNewer(content.standsAtMs, asOfMs)) return true;
  return content.version?.id === 'null' && row.null_at !== null && content.createdAtMs <= row.null_at;
}
