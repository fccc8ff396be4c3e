import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { applyTransition } from '../transition.ts';
import { volumeResource } from '../volume.ts';

/**
 * `absent`: the backend has no image of it. `left_behind`: it waits for an operation that does not exist.
 * `attachment_differs`: the backend says otherwise where it is attached.
 */
export type Doubt = 'absent' | 'left_behind' | 'attachment_differs';

export interface LoseVolume {
  readonly volumeId: string;
  /** The version that was judged; a volume that has changed since is left alone. */
  readonly version: number;
  readonly doubt: Doubt;
  readonly policy: 'error' | 'delete';
  readonly nowMs: number;
}

export const reasons: Readonly<Record<Doubt, string>> = {
  absent: 'The backend has no image of this volume.',
  left_behind: 'It was left in the middle of a change, and no operation carries it on.',
  attachment_differs: 'The backend says otherwise where this volume is attached.',
};

const atWork = `select id from operations where resource = ? and status in ('pending', 'executing') limit 1`;

/** Whether an operation is at work on a volume, which then says itself what becomes of it. */
export async function isAtWork(reader: Pick<Reader, 'rows'>, volumeId: string): Promise<boolean> {
  return (await reader.rows(atWork, [volumeResource(volumeId)])).length > 0;
}

/** Writes what the reconciler found, unless an operation is at work on the volume. Gives whether anything changed. */
export const loseVolume = transaction(
  import.meta.url,
  'loseVolume',
  async (tx, params: LoseVolume): Promise<boolean> => {
    const { volumeId, version, doubt, policy, nowMs } = params;
    const [row] = await tx.rows<{ state: string; version: number }>(
      `select state, version from volumes where id = ? ${tx.fragments.forUpdate}`,
      [volumeId],
    );
    if (row?.version !== version) return false;
    if (await isAtWork(tx, volumeId)) return false;
    const cause = { operationId: null, actor: 'keeper:volume-reconciler', nowMs };
    await applyTransition(tx, { volumeId, transition: 'lost', cause, reason: reasons[doubt], detail: { policy } });
    if (policy === 'delete') {
      await applyTransition(tx, { volumeId, transition: 'delete', cause });
      await applyTransition(tx, {
        volumeId,
        transition: 'deleted',
        cause,
        reason: reasons[doubt],
        set: { purged_at: nowMs },
      });
      await tx.run(
        `update attachments set state = 'detached', detached_at = ? where volume_id = ? and state <> 'detached'`,
        [nowMs, volumeId],
      );
    }
    return true;
  },
);
