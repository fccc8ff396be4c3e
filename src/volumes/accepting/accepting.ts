import { type Accepted, type OperationRequest, findReplay, startOperation } from '../../kernel/operations/start.ts';
import type { Tx } from '../../kernel/store/store.ts';
import type { Cause } from '../transition.ts';
import { volumeResource } from '../volume.ts';

/** What an accepting transaction decides: the operation to start. */
export interface Decision {
  readonly volumeId: string;
  readonly kind: string;
  readonly input: unknown;
}

/**
 * The frame of every accepting transaction: a repeated request gets its first answer, a new one is decided and its
 * operation starts, all in the one commit that also writes the volume's new state.
 */
export async function accept(
  tx: Tx,
  request: OperationRequest,
  decide: (cause: Cause) => Promise<Decision | Accepted>,
): Promise<Accepted> {
  const replay = await findReplay(tx, request);
  if (replay !== null) return replay;
  const decision = await decide({ operationId: request.operationId, actor: request.actor, nowMs: request.nowMs });
  if ('isReplay' in decision) return decision;
  const { volumeId, kind, input } = decision;
  return startOperation(tx, request, { kind, resource: volumeResource(volumeId), input });
}

/** An operation that was accepted before, as the answer to a wish that it has already fulfilled. */
export async function acceptedBefore(tx: Tx, operationId: string): Promise<Accepted | null> {
  const row = await tx.db.selectFrom('operations').selectAll().where('id', '=', operationId).executeTakeFirst();
  if (row === undefined) return null;
  const { id, kind, resource, actor } = row;
  const input: unknown = JSON.parse(row.input);
  return { id, kind, resource, input, actor, createdAtMs: row.created_at, isReplay: true, run: null };
}
