import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { BackendRow } from '../../tables.ts';
import { type Doing, noteBackend } from './events.ts';
import { findBackend } from './queries.ts';

export interface AddBackend {
  readonly backend: Omit<BackendRow, 'state' | 'position' | 'version' | 'created_at' | 'updated_at'> & {
    /** `null`: behind all others. */
    readonly position: number | null;
  };
  /** How many there may be. */
  readonly backendsMax: number;
  readonly doing: Doing;
}

const insert = `insert into object_backends (name, kind, config, secrets, labels, state, position, quota_bytes,
    object_bytes_max, month_requests_max, month_ingress_bytes_max, month_egress_bytes_max, version, created_at, updated_at)
  select ?, ?, ?, ?, ?, 'active', coalesce(?, (select coalesce(max(position), 0) + 1 from object_backends)), ?, ?, ?, ?, ?, 1, ?, ?
  where (select count(*) from object_backends) < ?
  on conflict (name) do nothing`;

/** Adds a backend. Throws `conflict` for a name that is taken, or when there are as many as there may be. */
export const addBackend = transaction(
  import.meta.url,
  'addBackend',
  async (tx, { backend, backendsMax, doing }: AddBackend): Promise<BackendRow> => {
    const { name, kind, config, secrets, labels, position } = backend;
    const limits = [
      backend.quota_bytes,
      backend.object_bytes_max,
      backend.month_requests_max,
      backend.month_ingress_bytes_max,
      backend.month_egress_bytes_max,
    ];
    const values = [name, kind, config, secrets, labels, position, ...limits, doing.nowMs, doing.nowMs, backendsMax];
    const isAdded = (await tx.run(insert, values)) === 1;
    const row = await findBackend(tx, name);
    if (row !== null && !isAdded) {
      throw new HoldfastError('conflict', `There is a backend named ${name} already.`, { field: 'name' });
    }
    if (row === null) {
      throw new HoldfastError('conflict', `There are ${backendsMax} backends, which is the most there may be.`);
    }
    await noteBackend(tx, name, 'added', doing, { kind });
    return row;
  },
);
