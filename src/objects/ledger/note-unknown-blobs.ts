import { appendEvent } from '../../kernel/events/event.ts';
import { transaction } from '../../kernel/store/transaction.ts';

export interface UnknownBlobs {
  readonly backend: string;
  /** Written by a gateway, and by others. */
  readonly ownUnknown: number;
  readonly foreign: number;
  readonly unknownBytes: number;
  readonly examples: readonly string[];
  readonly nowMs: number;
}

/** Tells of blobs on a backend that the ledger does not know, when there are any. */
export const noteUnknownBlobs = transaction(
  import.meta.url,
  'noteUnknownBlobs',
  async (tx, { backend, ownUnknown, foreign, unknownBytes, examples, nowMs }: UnknownBlobs): Promise<void> => {
    if (ownUnknown + foreign === 0) return;
    const resource = `object-backend:${backend}`;
    await tx.lock(`event:${resource}`);
    await appendEvent(tx, {
      resource,
      type: 'object_backend.unknown_blobs',
      data: { backend, of_gateway: ownUnknown, of_others: foreign, size_bytes: unknownBytes, examples },
      operationId: null,
      actor: 'reconciler',
      createdAtMs: nowMs,
    });
  },
);
