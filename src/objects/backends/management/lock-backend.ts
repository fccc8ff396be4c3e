import type { Tx } from '../../../kernel/store/store.ts';
import type { BackendRow } from '../../tables.ts';

/** A backend's row, held until the transaction ends; `null` when there is none. */
export async function lockBackend(tx: Tx, name: string): Promise<BackendRow | null> {
  const statement = `select * from object_backends where name = ? ${tx.fragments.forUpdate}`;
  const [row] = await tx.rows<BackendRow>(statement, [name]);
  return row ?? null;
}
