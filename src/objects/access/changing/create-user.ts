import { transaction } from '../../../kernel/store/transaction.ts';
import type { UserRecord } from '../queries.ts';
import { type Cause, type NewUser, insertUser, lockUserNames } from './user-row.ts';

/** Makes a user without keys and grants. Throws `invalid`, or `conflict` for a name in use. */
export const createUser = transaction(
  import.meta.url,
  'createUser',
  async (tx, { user, cause }: { readonly user: NewUser; readonly cause: Cause }): Promise<UserRecord> => {
    await lockUserNames(tx);
    return insertUser(tx, user, cause);
  },
);
