import type { Reader, Store } from '../../src/kernel/store/store.ts';

/**
 * What must hold when all operations have come to rest, whatever was killed meanwhile. Gives one sentence for each
 * breach; `acknowledged` are the operations that somebody was told of.
 */
export async function brokenInvariants(store: Store, acknowledged: Iterable<string>): Promise<string[]> {
  return store.read(async (reader) => [
    ...(await unfinished(reader)),
    ...(await heldLocks(reader)),
    ...(await gapsInEvents(reader)),
    ...(await lost(reader, acknowledged)),
  ]);
}

async function unfinished(reader: Reader): Promise<string[]> {
  const rows = await reader.rows<{ id: string; status: string; finished_at: number | null }>(
    `select id, status, finished_at from operations
     where status not in ('completed', 'failed', 'cancelled') or finished_at is null order by id`,
    [],
  );
  return rows.map(({ id, status }) => `operation ${id} is ${status} and has no end`);
}

async function heldLocks(reader: Reader): Promise<string[]> {
  const rows = await reader.rows<{ resource: string; operation_id: string | null; waiting: number }>(
    'select resource, operation_id, waiting from resource_locks where operation_id is not null or waiting <> 0',
    [],
  );
  return rows.map(
    ({ resource, operation_id, waiting }) =>
      `${resource} is held by ${operation_id ?? 'nobody'} with ${waiting} waiting`,
  );
}

async function gapsInEvents(reader: Reader): Promise<string[]> {
  const rows = await reader.rows<{ resource: string; count: number; first: number; last: number }>(
    `select resource, count(*) as count, min(seq) as first, max(seq) as last from events
     group by resource having count(*) <> max(seq) or min(seq) <> 1`,
    [],
  );
  return rows.map(({ resource, count, last }) => `${resource} has ${count} events numbered up to ${last}`);
}

async function lost(reader: Reader, acknowledged: Iterable<string>): Promise<string[]> {
  const rows = await reader.rows<{ id: string }>('select id from operations', []);
  const known = new Set(rows.map(({ id }) => id));
  return [...acknowledged].filter((id) => !known.has(id)).map((id) => `operation ${id} was acknowledged and is gone`);
}
