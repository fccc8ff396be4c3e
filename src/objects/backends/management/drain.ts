import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { BackendRow } from '../../tables.ts';
import { type Doing, noteBackend } from './events.ts';
import { lockBackend } from './lock-backend.ts';

export interface SetBackendState {
  readonly name: string;
  /** `migrating`: everything there is carried to another backend, which ends or is cancelled as a whole. */
  readonly state: 'active' | 'draining' | 'migrating';
  /** Whether the one who asks is the migration itself. */
  readonly isMigration?: boolean;
  readonly doing: Doing;
}

const beginDrain = `insert into backend_drains (backend, started_at) values (?, ?)
  on conflict (backend) do update set started_at = excluded.started_at, bytes_left = null, bytes_per_second = null,
    measured_at = null, completed_at = null, walked_to = ''`;

/**
 * Ends or begins taking new bytes. The state is a column of the row that every claim of room asks in its own statement, so
 * no write that was admitted later lands on a draining backend, whichever process admits it. Repeating it is success.
 * Throws `not_found`, and `conflict` while a migration leaves it or it is being purged.
 */
export const setBackendState = transaction(
  import.meta.url,
  'setBackendState',
  async (tx, { name, state, isMigration = false, doing }: SetBackendState): Promise<BackendRow> => {
    const row = await lockBackend(tx, name);
    if (row === null) throw new HoldfastError('not_found', `There is no backend ${name.slice(0, 100)}.`);
    if (row.state === 'migrating' && !isMigration) {
      const message = `Everything on backend ${name} is being migrated; let it end or cancel the migration.`;
      throw new HoldfastError('conflict', message, { state: row.state });
    }
    if (row.state === state) return row;
    if (row.state === 'purging') {
      throw new HoldfastError('conflict', `Backend ${name} is being purged, which cannot be taken back.`, {
        state: row.state,
      });
    }
    const version = row.version + 1;
    await tx.run('update object_backends set state = ?, version = ?, updated_at = ? where name = ?', [
      state,
      version,
      doing.nowMs,
      name,
    ]);
    if (state === 'draining') await tx.run(beginDrain, [name, doing.nowMs]);
    else await tx.run('delete from backend_drains where backend = ?', [name]);
    await noteBackend(tx, name, state, doing);
    return { ...row, state, version, updated_at: doing.nowMs };
  },
);
