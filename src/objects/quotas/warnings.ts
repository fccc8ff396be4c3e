import { appendEvent } from '../../kernel/events/event.ts';
import type { Reader, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { type CapacityMeter, type Standing, shareOf } from './standings.ts';

/** The shares that are warned of, in percent, highest first. */
const levels = [95, 80];
/** How far below a level a share must fall before it is warned of again, in percent. */
const hysteresis = 5;

/** The level that is warned of at a share, after one that was; 0 is none. It falls only when the share is well below. */
export function nextPercent(before: number, share: number): number {
  const percent = share * 100;
  const level = levels.find((one) => percent >= one) ?? 0;
  if (level >= before || percent < before - hysteresis) return level;
  return before;
}

/** What is warned of, or is not any more. */
export interface WarningItem {
  readonly subject: string;
  readonly meter: CapacityMeter;
  readonly used: number;
  readonly maximum: number;
  readonly share: number;
}

interface WarningRow {
  readonly subject: string;
  readonly meter: CapacityMeter;
  readonly percent: number;
}

/** Where the level of a standing is another than the one that was warned of. Limits that are gone have a share of nothing. */
export async function changedWarnings(reader: Reader, standings: readonly Standing[]): Promise<WarningItem[]> {
  const rows = await reader.rows<WarningRow>('select subject, meter, percent from capacity_warnings', []);
  const warned = new Map(rows.map((row) => [`${row.meter} ${row.subject}`, row]));
  const items: WarningItem[] = [];
  for (const { subject, gauges } of standings) {
    for (const gauge of gauges) {
      const share = shareOf(gauge);
      if (share === null) continue;
      const key = `${gauge.meter} ${subject}`;
      const before = warned.get(key)?.percent ?? 0;
      warned.delete(key);
      if (nextPercent(before, share) === before) continue;
      items.push({ subject, meter: gauge.meter, used: gauge.used!, maximum: gauge.maximum!, share });
    }
  }
  for (const { subject, meter } of warned.values()) items.push({ subject, meter, used: 0, maximum: 0, share: 0 });
  return items;
}

const upsert = `insert into capacity_warnings (subject, meter, percent, warned_at) values (?, ?, ?, ?)
  on conflict (subject, meter) do update set percent = excluded.percent, warned_at = excluded.warned_at`;

/** Tells of a share that has passed a level, once, and forgets one that has fallen again. Gives whether it told. */
export const noteWarning = transaction(
  import.meta.url,
  'noteWarning',
  async (tx, { item, nowMs }: { readonly item: WarningItem; readonly nowMs: number }): Promise<boolean> => {
    const { subject, meter, used, maximum, share } = item;
    const resource = `capacity:${subject}`;
    await tx.lock(resource);
    const before = await percentOf(tx, subject, meter);
    const percent = nextPercent(before, share);
    if (percent === before) return false;
    if (percent === 0) await tx.run('delete from capacity_warnings where subject = ? and meter = ?', [subject, meter]);
    else await tx.run(upsert, [subject, meter, percent, nowMs]);
    if (percent < before) return false;
    await appendEvent(tx, {
      resource,
      type: 'capacity.warning',
      data: { subject, meter, percent, used, maximum },
      operationId: null,
      actor: 'gateway',
      createdAtMs: nowMs,
    });
    return true;
  },
);

async function percentOf(tx: Tx, subject: string, meter: string): Promise<number> {
  const statement = 'select percent from capacity_warnings where subject = ? and meter = ?';
  const [row] = await tx.rows<{ percent: number }>(statement, [subject, meter]);
  return row?.percent ?? 0;
}
