import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { applyTransition } from '../transition.ts';
import { requireVolume } from '../queries.ts';
import { accept } from './accepting.ts';
import { purgeUnderWay } from './delete.ts';
import { requireFreeName } from './insert-volume.ts';

export interface RestoreInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly trashExpiresAtMs: number;
}

export interface AcceptRestore {
  readonly request: OperationRequest;
  readonly volume: string;
  /** A new name, for when the old one was taken meanwhile; `null` keeps it. */
  readonly name: string | null;
}

/** Accepts bringing a volume back from the trash. */
export const acceptRestore = transaction(
  import.meta.url,
  'acceptRestore',
  (tx, params: AcceptRestore): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      if (volume.trashExpiresAtMs === null) {
        throw new HoldfastError('conflict', `Volume ${volume.name} is not in the trash.`, { state: volume.state });
      }
      const name = params.name ?? volume.name;
      await requireFreeName(tx, name);
      const { id: volumeId, backend, image, trashExpiresAtMs } = volume;
      await applyTransition(tx, { volumeId, transition: 'restore', cause, set: { name, trash_expires_at: null } });
      // Asked after the transition, which holds the volume's row.
      if ((await purgeUnderWay(tx, volumeId)) !== null) {
        throw new HoldfastError('conflict', `Volume ${volume.name} is being removed for good.`, {
          state: volume.state,
        });
      }
      const input: RestoreInput = { volumeId, backend, image, trashExpiresAtMs };
      return { volumeId, kind: 'volume.restore', input };
    }),
);
