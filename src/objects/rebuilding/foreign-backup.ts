import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackend } from '../backends/backend.ts';
import { loadBackupMemory } from './backup-memory.ts';
import { listBackups } from './backup-place.ts';

/**
 * The backup of another ledger on a backend, `null` when there is none; that of a later state of this one, which was put back
 * to an earlier one, is of another as well. Blobs beside it may be objects that can be rebuilt from it.
 */
export async function foreignBackup(store: Store, backend: ObjectBackend, signal: AbortSignal): Promise<string | null> {
  const last = new Map<string, number>();
  for await (const { generation, number } of listBackups(backend, signal)) last.set(generation, number);
  // Loaded after the listing: what another process writes meanwhile it has remembered before.
  const { own, reached, isWriting } = await loadBackupMemory(store);
  for (const [generation, number] of last) {
    const isAhead = generation === reached?.generation && number >= reached.next && !isWriting;
    if (isAhead || !own.includes(generation)) return generation;
  }
  return null;
}
