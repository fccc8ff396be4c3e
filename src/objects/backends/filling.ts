import type { Reader } from '../../kernel/store/store.ts';

/** How full a backend is, by the books. */
export interface BackendBytes {
  readonly name: string;
  readonly usedBytes: number;
  /** Its quota; `null` without a limit. */
  readonly totalBytes: number | null;
}

const bytes = `select b.name, b.quota_bytes, (select coalesce(sum(s.used_bytes), 0) from backend_stripes s
  where s.backend = b.name) as used_bytes from object_backends b order by b.position, b.name`;

export async function readBackendBytes(reader: Pick<Reader, 'rows'>): Promise<BackendBytes[]> {
  const rows = await reader.rows<{ name: string; quota_bytes: number | null; used_bytes: number | string }>(bytes, []);
  return rows.map((row) => ({ name: row.name, usedBytes: Number(row.used_bytes), totalBytes: row.quota_bytes }));
}

/** The part of a backend that is used, from 0 to 1; one without a limit counts as empty, as in placement. */
export function filledShare({ usedBytes, totalBytes }: Omit<BackendBytes, 'name'>): number {
  if (totalBytes === null) return 0;
  return totalBytes === 0 ? 1 : Math.min(1, Math.max(0, usedBytes / totalBytes));
}
