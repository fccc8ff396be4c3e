import { appendEvent } from '../../kernel/events/event.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { KekRow } from '../tables.ts';

/** Under which those hear of a change who keep the keys in memory. */
export const kekTopic = 'encryption-keys';

/** Every key-encryption key, oldest first. They are few: some a rotation. */
export async function readKeks(reader: Reader): Promise<KekRow[]> {
  return reader.rows<KekRow>('select * from encryption_keys order by created_at, id', []);
}

const retire = `update encryption_keys set state = 'former' where purpose = ? and state = 'current'`;
const insert = `insert into encryption_keys (id, purpose, root_key_id, wrapped, state, created_at)
  values (?, ?, ?, ?, 'current', ?)`;

/** Enters a key as the current one of its purpose, unless another process was faster. Gives the one that stands. */
export const enterKek = transaction(
  import.meta.url,
  'enterKek',
  async (tx, kek: Omit<KekRow, 'state'>): Promise<KekRow> => {
    await tx.lock(kekTopic);
    const standing = `select * from encryption_keys where purpose = ? and state = 'current'`;
    const [known] = await tx.rows<KekRow>(standing, [kek.purpose]);
    if (known !== undefined) return known;
    await tx.run(insert, [kek.id, kek.purpose, kek.root_key_id, kek.wrapped, kek.created_at]);
    return { ...kek, state: 'current' };
  },
);

export interface RotateKeks {
  /** Keys as they were read, and as they are wrapped now. */
  readonly rewrapped: readonly {
    readonly id: string;
    readonly from: string;
    readonly wrapped: string;
    readonly rootKeyId: string;
  }[];
  /** The new current keys. */
  readonly made: readonly Omit<KekRow, 'state'>[];
  readonly actor: string;
  readonly nowMs: number;
}

const rewrap = 'update encryption_keys set wrapped = ?, root_key_id = ? where id = ? and wrapped = ?';

/** Exchanges how keys are wrapped and which are current, all or nothing. Gives whether nobody had changed one meanwhile. */
export const rotateKeks = transaction(
  import.meta.url,
  'rotateKeks',
  async (tx, { rewrapped, made, actor, nowMs }: RotateKeks): Promise<boolean> => {
    await tx.lock(kekTopic);
    const rows = await readKeks(tx);
    const isAsRead =
      rows.length === rewrapped.length &&
      rewrapped.every(({ id, from }) => rows.some((row) => row.id === id && row.wrapped === from));
    if (!isAsRead) return false;
    for (const { id, from, wrapped, rootKeyId } of rewrapped) await tx.run(rewrap, [wrapped, rootKeyId, id, from]);
    for (const kek of made) {
      await tx.run(retire, [kek.purpose]);
      await tx.run(insert, [kek.id, kek.purpose, kek.root_key_id, kek.wrapped, kek.created_at]);
    }
    await appendEvent(tx, {
      resource: 'encryption',
      type: 'encryption.rotated',
      data: { rewrapped: rewrapped.length, current: made.map(({ id }) => id) },
      operationId: null,
      actor,
      createdAtMs: nowMs,
    });
    return true;
  },
);

const adopt = `insert into encryption_keys (id, purpose, root_key_id, wrapped, state, created_at)
  values (?, '', ?, ?, 'former', ?) on conflict (id) do nothing`;

/** Enters keys that stand on backends, so that what they encrypted can be read; none of them becomes the current one. */
export const adoptKeks = transaction(
  import.meta.url,
  'adoptKeks',
  async (tx, keks: readonly Pick<KekRow, 'id' | 'root_key_id' | 'wrapped' | 'created_at'>[]): Promise<void> => {
    await tx.lock(kekTopic);
    for (const kek of keks) await tx.run(adopt, [kek.id, kek.root_key_id, kek.wrapped, kek.created_at]);
  },
);
