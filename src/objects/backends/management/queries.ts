import type { Reader } from '../../../kernel/store/store.ts';
import type { BackendRow } from '../../tables.ts';

/** Rows beyond this many are not counted: the answer is "at least". */
const countMax = 100_000;
const samplesEach = 3;

/** What stands on a backend, or may come to. */
export interface BackendBooks {
  /** All bytes that may stand there: copies, writes under way and what waits for deletion. */
  readonly usedBytes: bigint;
  /** Of these, what waits for deletion. */
  readonly orphanBytes: bigint;
  /** Of these, what writes under way have claimed. */
  readonly claimedBytes: bigint;
  readonly copies: BoundedCount;
}

export interface BoundedCount {
  readonly count: number;
  /** `false`: there are more than that. */
  readonly isExact: boolean;
}

/** Rows that refer to a backend. */
export interface BackendUses {
  readonly copies: BoundedCount;
  readonly intents: BoundedCount;
  readonly cleanup: BoundedCount;
}

/** A blob that should stand on a backend. */
export interface BlobSample {
  readonly storageKey: string;
  readonly storedBytes: number;
}

/** Backends in order of position. */
export async function listBackends(reader: Reader, limit: number): Promise<BackendRow[]> {
  return reader.rows<BackendRow>('select * from object_backends order by position, name limit ?', [limit]);
}

export async function findBackend(reader: Reader, name: string): Promise<BackendRow | null> {
  const [row] = await reader.rows<BackendRow>('select * from object_backends where name = ?', [name]);
  return row ?? null;
}

export async function booksOf(reader: Reader, name: string): Promise<BackendBooks> {
  const sum = async (table: 'backend_stripes' | 'cleanup' | 'intents', column: string): Promise<bigint> => {
    const statement = `select cast(coalesce(sum(${column}), 0) as bigint) as bytes from ${table} where backend = ?`;
    const [row] = await reader.rows<{ bytes: number }>(statement, [name]);
    return BigInt(row?.bytes ?? 0);
  };
  return {
    usedBytes: await sum('backend_stripes', 'used_bytes'),
    orphanBytes: await sum('cleanup', 'stored_bytes'),
    claimedBytes: await sum('intents', 'stored_bytes'),
    copies: await countOf(reader, 'copies', name),
  };
}

/** How many rows refer to a backend, counted as far as is of interest. */
export async function usesOf(reader: Reader, name: string): Promise<BackendUses> {
  return {
    copies: await countOf(reader, 'copies', name),
    intents: await countOf(reader, 'intents', name),
    cleanup: await countOf(reader, 'cleanup', name),
  };
}

/** A few copies from both ends of the order of their keys: enough to tell whether a place is the same place. */
export async function sampleCopies(reader: Reader, name: string): Promise<BlobSample[]> {
  const samples = new Map<string, BlobSample>();
  for (const order of ['', 'desc']) {
    const rows = await reader.rows<{ storage_key: string; stored_bytes: number }>(
      `select storage_key, stored_bytes from copies where backend = ? order by storage_key ${order} limit ?`,
      [name, samplesEach],
    );
    for (const { storage_key: storageKey, stored_bytes: storedBytes } of rows) {
      samples.set(storageKey, { storageKey, storedBytes });
    }
  }
  return [...samples.values()];
}

async function countOf(reader: Reader, table: 'copies' | 'cleanup' | 'intents', name: string): Promise<BoundedCount> {
  const [row] = await reader.rows<{ count: number }>(
    `select count(*) as count from (select 1 as one from ${table} where backend = ? limit ?) as found`,
    [name, countMax + 1],
  );
  const count = row?.count ?? 0;
  return { count: Math.min(count, countMax), isExact: count <= countMax };
}
