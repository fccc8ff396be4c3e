import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { QosLimits } from '../backends/backend.ts';
import { noteOnVolume } from '../transition.ts';
import type { Volume } from '../volume.ts';
import { openExport } from '../export-queries.ts';
import { requireVolume } from '../queries.ts';
import { accept } from './accepting.ts';

export interface ResizeInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly sizeBytes: string;
  readonly exportId: string | null;
}

export interface AcceptResize {
  readonly request: OperationRequest;
  readonly volume: string;
  readonly sizeBytes: bigint;
}

/** Accepts growing a volume, in use or not. */
export const acceptResize = transaction(
  import.meta.url,
  'acceptResize',
  (tx, { request, volume: reference, sizeBytes }: AcceptResize): Promise<Accepted> =>
    accept(tx, request, async (cause) => {
      const volume = await requireVolume(tx, reference);
      requireSteady(volume, 'resized');
      if (sizeBytes < volume.sizeBytes) {
        throw new HoldfastError('invalid', 'A volume can grow, not shrink.', {
          field: 'size_bytes',
          provided_value: String(sizeBytes),
          minimum_value: String(volume.sizeBytes),
        });
      }
      const { id: volumeId, backend, image } = volume;
      const exportId = (await openExport(tx, volumeId))?.id ?? null;
      const input: ResizeInput = { volumeId, backend, image, sizeBytes: String(sizeBytes), exportId };
      await noteOnVolume(tx, { volumeId, type: 'volume.resize', cause, detail: { size_bytes: input.sizeBytes } });
      return { volumeId, kind: 'volume.resize', input };
    }),
);

export interface QosInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly qos: QosLimits;
  readonly exportId: string | null;
}

/** Accepts new limits. */
export const acceptQos = transaction(
  import.meta.url,
  'acceptQos',
  (
    tx,
    params: { readonly request: OperationRequest; readonly volume: string; readonly qos: QosLimits },
  ): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      requireSteady(volume, 'limited');
      const { id: volumeId, backend, image } = volume;
      await noteOnVolume(tx, { volumeId, type: 'volume.qos', cause, detail: { qos: params.qos } });
      const exportId = (await openExport(tx, volumeId))?.id ?? null;
      const input: QosInput = { volumeId, backend, image, qos: params.qos, exportId };
      return { volumeId, kind: 'volume.qos', input };
    }),
);

/** Some changes leave the state alone, and need a volume that is in a steady one. */
export function requireSteady(
  volume: Volume,
  wish: string,
  states: readonly string[] = ['available', 'attached'],
): void {
  if (states.includes(volume.state)) return;
  throw new HoldfastError('conflict', `Volume ${volume.name} is ${volume.state} and cannot be ${wish} now.`, {
    state: volume.state,
  });
}
