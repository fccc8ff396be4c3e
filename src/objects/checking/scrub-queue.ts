import { setImmediate as others } from 'node:timers/promises';
import type { Reader, Store } from '../../kernel/store/store.ts';
import type { CopyRow } from '../tables.ts';

/** Where a page of copies begins: by when they were last read, or made. */
export interface ScrubPosition {
  readonly atMs: number;
  readonly storageKey: string;
}

const oldest = `select * from copies where backend = ? and coalesce(verified_at, created_at) < ?
  and (coalesce(verified_at, created_at), storage_key) > (?, ?) order by coalesce(verified_at, created_at), storage_key limit ?`;

/** Copies on a backend that were last read before a moment, those whose turn is longest ago first. */
export function copiesToScrub(
  reader: Reader,
  due: { readonly backend: string; readonly beforeMs: number },
  page: { readonly after: ScrubPosition | null; readonly limit: number },
): Promise<CopyRow[]> {
  const { atMs = -1, storageKey = '' } = page.after ?? {};
  return reader.rows<CopyRow>(oldest, [due.backend, due.beforeMs, atMs, storageKey, page.limit]);
}

export function scrubPositionOf(row: CopyRow): ScrubPosition {
  return { atMs: row.verified_at ?? row.created_at, storageKey: row.storage_key };
}

/** How much of what stands on a backend was read whole and found right since a moment. */
export interface Coverage {
  readonly copies: number;
  readonly verified: number;
  readonly damaged: number;
}

/** So many copies are counted in one read, which holds up others of an embedded store for a few milliseconds. */
const countedPerRead = 5_000;
const ending = `select content_id from copies where content_id > ? order by content_id, part, backend limit 1 offset ?`;
const counts = (end: string) => `select count(*) as copies,
  sum(case when verified_at >= ? and damaged_at is null then 1 else 0 end) as verified,
  sum(case when damaged_at is null then 0 else 1 end) as damaged
  from copies where content_id > ?${end === '' ? '' : ' and content_id <= ?'}`;

/** Counts all copies, one page after another, so it is not asked often. Stops with the signal, and gives what it has by then. */
export async function coverageSince(store: Store, sinceMs: number, signal: AbortSignal): Promise<Coverage> {
  const sum = { copies: 0, verified: 0, damaged: 0 };
  let after = '';
  do {
    const from = after;
    const page = await store.read((reader) => countFrom(reader, from, sinceMs));
    sum.copies += page.copies;
    sum.verified += page.verified;
    sum.damaged += page.damaged;
    after = page.end;
    await others();
  } while (after !== '' && !signal.aborted);
  return sum;
}

/** One page; `end` is where the next one begins, empty after the last. */
async function countFrom(reader: Reader, after: string, sinceMs: number): Promise<Coverage & { readonly end: string }> {
  const [last] = await reader.rows<{ content_id: string }>(ending, [after, countedPerRead]);
  const end = last?.content_id ?? '';
  const values = [sinceMs, after, ...(end === '' ? [] : [end])];
  const [row] = await reader.rows<Record<keyof Coverage, number | string | null>>(counts(end), values);
  const { copies, verified, damaged } = row!;
  return { copies: Number(copies), verified: Number(verified ?? 0), damaged: Number(damaged ?? 0), end };
}

const waiting = `select count(*) as n, sum(stored_bytes) as bytes from copies where backend = ?
  and coalesce(verified_at, created_at) < ?`;

/** What waits for its turn on a backend. */
export async function scrubBacklog(
  reader: Reader,
  backend: string,
  beforeMs: number,
): Promise<{ readonly copies: number; readonly bytes: number }> {
  const [row] = await reader.rows<{ n: number | string; bytes: number | string | null }>(waiting, [backend, beforeMs]);
  return { copies: Number(row!.n), bytes: Number(row!.bytes ?? 0) };
}
