import { transaction } from '../kernel/store/transaction.ts';
import type { ImageDetails, SurveyedImage } from './backends/backend.ts';

/** What a backend said of a volume's image, and when (`as_of`), as it is kept and shown. */
export type BackendData = ImageDetails & { readonly as_of: string };

/** What a step saw of the real system beside its work; absent where the backend tells nothing more. */
export interface SeenData {
  readonly backend_data?: BackendData;
}

/** The data of an image that was just read, as a part of a step's output; nothing where the backend tells no details. */
export function seenData(facts: Pick<SurveyedImage, 'details'> | null, nowMs: number): SeenData {
  if (facts?.details === undefined) return {};
  return { backend_data: { as_of: new Date(nowMs).toISOString(), ...facts.details } };
}

/** The same as a column of the volume's row. */
export function dataColumn({ backend_data: data }: SeenData) {
  return data === undefined ? {} : { backend_data: JSON.stringify(data) };
}

/**
 * Keeps what was read of a volume outside of any operation. It is no change of the volume, so neither its version nor its
 * events move; data that an operation has read since stays.
 */
export const keepBackendData = transaction(
  import.meta.url,
  'keepBackendData',
  async (
    tx,
    { volumeId, version, data }: { readonly volumeId: string; readonly version: number; readonly data: BackendData },
  ) => {
    const statement = 'update volumes set backend_data = ? where id = ? and version = ?';
    await tx.run(statement, [JSON.stringify(data), volumeId, version]);
  },
);
