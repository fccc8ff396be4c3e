import type { Tx } from '../../kernel/store/store.ts';

/** How many rows count one backend's bytes. */
export const stripeCount = 16;

const add = `insert into backend_stripes (backend, stripe, used_bytes) values (?, ?, ?)
  on conflict (backend, stripe) do update set used_bytes = backend_stripes.used_bytes + excluded.used_bytes`;

/** The stripe that a storage key's bytes are counted in: always the same one, so that what was added is taken back. */
export function stripeOf(storageKey: string): number {
  let hash = 0;
  for (let index = 0; index < storageKey.length; index++)
    hash = (Math.imul(hash, 31) + storageKey.charCodeAt(index)) | 0;
  return (hash >>> 0) % stripeCount;
}

/** A change of what may stand on a backend. */
export interface ByteDelta {
  readonly backend: string;
  readonly storageKey: string;
  readonly bytes: number;
}

/** Books changes, merged and in a fixed order, so that no two transactions wait for each other in a ring. */
export async function bookBytes(tx: Tx, deltas: readonly ByteDelta[]): Promise<void> {
  const merged = new Map<string, { backend: string; stripe: number; bytes: number }>();
  for (const { backend, storageKey, bytes } of deltas) {
    const stripe = stripeOf(storageKey);
    const id = `${backend}\n${String(stripe).padStart(2, '0')}`;
    const known = merged.get(id);
    if (known === undefined) merged.set(id, { backend, stripe, bytes });
    else known.bytes += bytes;
  }
  for (const id of [...merged.keys()].sort()) {
    const { backend, stripe, bytes } = merged.get(id)!;
    await tx.run(add, [backend, stripe, bytes]);
  }
}
