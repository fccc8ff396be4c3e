import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { readBackendBytes } from '../backends/filling.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { monthOf } from '../backends/usage.ts';
import type { BackendRow } from '../tables.ts';
import type { Allowance, RebalancePlace } from './rebalance-planner.ts';

const limits = `select b.*, coalesce(u.requests, 0) as requests, coalesce(u.ingress_bytes, 0) as ingress_bytes,
  coalesce(u.egress_bytes, 0) as egress_bytes from object_backends b
  left join backend_usage u on u.backend = b.name and u.month = ?
  where not exists (select 1 from backend_outages o where o.backend = b.name)`;

type LimitRow = BackendRow & { requests: number; ingress_bytes: number; egress_bytes: number };

/** All backends as the books and this process know them now. */
export async function readPlaces({
  store,
  registry,
  clock,
}: {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
}): Promise<RebalancePlace[]> {
  const { filled, rows } = await store.read(async (reader) => ({
    filled: await readBackendBytes(reader),
    rows: await reader.rows<LimitRow>(limits, [monthOf(clock.nowMs())]),
  }));
  const working = new Map(rows.map((row) => [row.name, row]));
  return filled.flatMap((bytes) => {
    const [known, row] = [registry.get(bytes.name), working.get(bytes.name)];
    if (known === null) return [];
    const isOpen = row?.state === 'active' && known.isOpenFor('read') && known.isOpenFor('write');
    const { labels, position, objectBytesMax, backend } = known;
    const { blobBytesMax } = backend.capabilities;
    const allowance = row === undefined ? nothing : allowanceOf(row);
    return [{ ...bytes, labels, position, isOpen, objectBytesMax, blobBytesMax, allowance }];
  });
}

const nothing: Allowance = { requests: 0, ingressBytes: 0, egressBytes: 0 };

function allowanceOf(row: LimitRow): Allowance {
  return {
    requests: left(row.month_requests_max, row.requests),
    ingressBytes: left(row.month_ingress_bytes_max, row.ingress_bytes),
    egressBytes: left(row.month_egress_bytes_max, row.egress_bytes),
  };
}

function left(most: number | null, used: number): number | null {
  return most === null ? null : Math.max(0, most - Number(used));
}
