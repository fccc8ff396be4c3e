import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { keepBadCopy } from '../ledger/keep-bad-copy.ts';
import { replaceBadCopy } from '../ledger/replace-bad-copy.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';
import { type CopyVerdict, checkCopy } from './check-copy.ts';

export interface SettleOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
}

/**
 * What became of a suspicion: the copy was `good` after all, it was `replaced`, it is bad and `kept` since there is no good
 * one, it is `gone` from the ledger, or it is `open`, since it or the others could not be read.
 */
export type Settlement = 'good' | 'replaced' | 'kept' | 'gone' | 'open';

const lookTimeoutMs = 60_000;
/** A copy that comes more slowly than this is not waited for. */
const bytesPerMs = 1_000;
const standing = 'select * from copies where content_id = ? and part = ? order by backend';

/**
 * Looks at a copy that was found bad once more, since one bad answer is no proof, and lets it go for a new one when another
 * copy was read whole and is right: the ledger's word that there is another one is no bytes. Else it stays.
 */
export async function settleBadCopy(
  options: SettleOptions,
  suspect: { readonly contentId: string; readonly part: number; readonly backend: string; readonly storageKey: string },
): Promise<Settlement> {
  const { store, clock } = options;
  const { contentId, part, backend, storageKey } = suspect;
  const copies = await store.read((reader) => reader.rows<CopyRow>(standing, [contentId, part]));
  const copy = copies.find((one) => one.backend === backend && one.storage_key === storageKey);
  if (copy === undefined) return 'gone';
  const found = await look(options, copy);
  if (found.verdict === 'good') return 'good';
  if (found.verdict === 'unreadable') return 'open';
  const { reason } = found;
  let hasUnreadable = false;
  for (const other of copies) {
    if (other.backend === backend) continue;
    const { verdict } = await look(options, other);
    if (verdict === 'unreadable') hasUnreadable = true;
    if (verdict !== 'good') continue;
    const good = { backend: other.backend, storageKey: other.storage_key };
    const bad = { contentId, part, backend, storageKey, good, reason, nowMs: clock.nowMs() };
    return (await store.write(replaceBadCopy, bad)) ? 'replaced' : 'open';
  }
  await store.write(keepBadCopy, { contentId, part, backend, storageKey, reason, nowMs: clock.nowMs() });
  return hasUnreadable ? 'open' : 'kept';
}

/** Reads a copy whole. A backend that cannot be reached tells nothing of it. */
async function look({ registry }: SettleOptions, copy: CopyRow): Promise<CopyVerdict> {
  const known = registry.get(copy.backend);
  if (known === null) return { verdict: 'unreadable', reason: `the backend ${copy.backend} is not known` };
  const signal = AbortSignal.timeout(lookTimeoutMs + Math.ceil(copy.stored_bytes / bytesPerMs));
  try {
    return await checkCopy(known.backend, toCopy(copy), { signal });
  } catch {
    return { verdict: 'unreadable', reason: 'it took too long' };
  }
}
