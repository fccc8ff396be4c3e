import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { BackendRow } from '../../tables.ts';
import { type Doing, noteBackend } from './events.ts';
import { findBackend } from './queries.ts';

/** The columns that a change may set. */
export type BackendChanges = Partial<
  Pick<
    BackendRow,
    | 'config'
    | 'secrets'
    | 'labels'
    | 'position'
    | 'quota_bytes'
    | 'object_bytes_max'
    | 'month_requests_max'
    | 'month_ingress_bytes_max'
    | 'month_egress_bytes_max'
  >
>;

export interface ChangeBackend {
  readonly name: string;
  /** The version that was read; another one by now is a conflict. */
  readonly version: number;
  readonly set: BackendChanges;
  readonly doing: Doing;
}

/** Changes a backend by compare-and-set. Throws `not_found`, and `conflict` when somebody else was quicker. */
export const changeBackend = transaction(
  import.meta.url,
  'changeBackend',
  async (tx, { name, version, set, doing }: ChangeBackend): Promise<BackendRow> => {
    const columns = Object.keys(set).sort();
    const assignments = columns.map((column) => `${column} = ?, `).join('');
    const values = columns.map((column) => set[column as keyof BackendChanges] ?? null);
    const changed = await tx.run(
      `update object_backends set ${assignments}version = version + 1, updated_at = ? where name = ? and version = ?`,
      [...values, doing.nowMs, name, version],
    );
    const row = await findBackend(tx, name);
    if (row === null) throw new HoldfastError('not_found', `There is no backend ${name.slice(0, 100)}.`);
    if (changed === 0) {
      const message = `Backend ${name} was changed by somebody else just now; look at it and try again.`;
      throw new HoldfastError('conflict', message, { version: row.version });
    }
    // What the settings are is nobody's business who reads events.
    await noteBackend(tx, name, 'changed', doing, { changed: columns, version: row.version });
    return row;
  },
);
