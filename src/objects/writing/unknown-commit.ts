import { isStoreTrouble } from '../../kernel/store/store.ts';

/**
 * The result of a commit. When its answer was lost, it is looked for in the ledger: what is found there has happened.
 * Throws the commit's own error when nothing is found, or when looking is not possible either.
 */
export async function orFound<R>(commit: Promise<R>, look: () => Promise<R | null>): Promise<R> {
  try {
    return await commit;
  } catch (error) {
    if (!isStoreTrouble(error)) throw error;
    const found = await look().catch(() => null);
    if (found === null) throw error;
    return found;
  }
}
