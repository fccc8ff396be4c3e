import { transaction } from '../../src/kernel/store/transaction.ts';
import { type NewVersion, placeVersion } from '../../src/objects/ledger/place-version.ts';

/** What a writer does who is slow to end, on an engine whose transactions run in this process. */
export const slowPlace = transaction(
  import.meta.url,
  'slowPlace',
  async (tx, { version, onPlaced, gate }: { version: NewVersion; onPlaced: () => void; gate: Promise<void> }) => {
    await placeVersion(tx, version, {});
    onPlaced();
    await gate;
  },
);

/** Has books drift, as a fault of ours would. */
export const spoilBook = transaction(
  import.meta.url,
  'spoilBook',
  async (tx, { subject }: { readonly subject: string }) =>
    tx.run('update quota_books set used_bytes = used_bytes + 7 where subject = ?', [subject]),
);
