import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Accepted, type OperationRequest, findReplay, startOperation } from '../../kernel/operations/start.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { findVolume } from '../queries.ts';
import type { Cause } from '../transition.ts';
import { type Volume, volumeResource } from '../volume.ts';

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

/** The volume that a request names. Throws `not_found`. */
export async function requireVolume(tx: Tx, reference: string): Promise<Volume> {
  const volume = await findVolume(tx, reference);
  if (volume === null) throw new HoldfastError('not_found', `There is no volume ${reference.slice(0, 200)}.`);
  return volume;
}

/** An operation that was accepted before, as the answer to a wish that it has already fulfilled. */
export async function acceptedBefore(tx: Tx, operationId: string): Promise<Accepted | null> {
  const row = await tx.db.selectFrom('operations').selectAll().where('id', '=', operationId).executeTakeFirst();
  if (row === undefined) return null;
  const { id, kind, resource, actor } = row;
  const input: unknown = JSON.parse(row.input);
  return { id, kind, resource, input, actor, createdAtMs: row.created_at, isReplay: true, run: null };
}
