import { transaction } from '../../kernel/store/transaction.ts';
import { isOwned } from '../checking/compare.ts';
import { type WrittenBytes, disposeLate } from './late-bytes.ts';

/**
 * Has bytes deleted that a gateway wrote and nothing refers to: they were written by somebody who was taken for dead. They
 * are on the books from now on until they are gone. Gives whether they were queued; what has an owner is not.
 */
export const queueOrphan = transaction(
  import.meta.url,
  'queueOrphan',
  async (tx, { bytes, nowMs }: { readonly bytes: WrittenBytes; readonly nowMs: number }): Promise<boolean> => {
    if (await isOwned(tx, bytes.backend, bytes.storageKey)) return false;
    await disposeLate(tx, bytes, 'abandoned write', nowMs);
    return true;
  },
);
