import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { accept } from './accepting.ts';
import { type NewVolume, insertVolume } from './insert-volume.ts';

export interface ImportInput {
  readonly volumeId: string;
  readonly name: string;
  readonly backend: string;
  readonly image: string;
}

/** Accepts an image that exists on a backend as a volume. */
export const acceptImport = transaction(
  import.meta.url,
  'acceptImport',
  (tx, { request, volume }: { readonly request: OperationRequest; readonly volume: NewVolume }): Promise<Accepted> =>
    accept(tx, request, async (cause) => {
      const { id: volumeId, name, backend, image } = volume;
      await tx.lock(`volume-image:${backend}:${image}`);
      const [known] = await tx.rows<{ id: string; name: string; state: string }>(
        'select id, name, state from volumes where backend = ? and image = ? and purged_at is null',
        [backend, image],
      );
      const [former] = await tx.rows<{ id: string }>('select id from volumes where id = ?', [volumeId]);
      if (known === undefined && former !== undefined) {
        throw new HoldfastError('conflict', `Image ${image} carries the tag of volume ${volumeId}, which was purged.`, {
          volume_id: volumeId,
        });
      }
      if (known !== undefined) {
        const message = `Image ${image} on ${backend} belongs to volume ${known.name} already.`;
        throw new HoldfastError('conflict', message, { volume_id: known.id, state: known.state });
      }
      await insertVolume(tx, volume, cause, { backend, image, imported: true });
      const input: ImportInput = { volumeId, name, backend, image };
      return { volumeId, kind: 'volume.import', input };
    }),
);
