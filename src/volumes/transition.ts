import { HoldfastError } from '../kernel/errors/errors.ts';
import { appendEvent } from '../kernel/events/event.ts';
import type { Tx } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';
import { type VolumeState, type VolumeTransition, isSettled, nextState } from './fsm.ts';
import { type AttachmentState, volumeResource } from './volume.ts';

/** Whose doing a change is. */
export interface Cause {
  readonly operationId: string | null;
  readonly actor: string;
  readonly nowMs: number;
}

export interface TransitionParams {
  readonly volumeId: string;
  readonly transition: VolumeTransition;
  readonly cause: Cause;
  /** Why, in a sentence; shown on the volume until the next transition. */
  readonly reason?: string | null;
  readonly attempt?: number;
  readonly nextRetryAtMs?: number | null;
  /** Columns that change with the state. */
  readonly set?: Readonly<
    Partial<Record<'size_bytes' | 'location' | 'image' | 'last_operation_id' | 'name' | 'backend_data', string>>
  > &
    Readonly<Partial<Record<'trash_expires_at' | 'purged_at', number | null>>>;
  /** The state that an attachment takes with it. */
  readonly attachment?: { readonly id: string; readonly state: AttachmentState; readonly detachOperationId?: string };
  /** More for the event. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

interface StateRow {
  name: string;
  state: VolumeState;
  version: number;
}

/**
 * Moves a volume along one edge of its table and writes the event, together or not at all. Gives the new state.
 * Throws `conflict`, and changes nothing, when the table does not allow it; `not_found` for an unknown volume.
 */
export async function applyTransition(tx: Tx, params: TransitionParams): Promise<VolumeState> {
  const { volumeId, transition, cause, reason = null, attempt = 0, nextRetryAtMs = null } = params;
  const row = await lockVolume(tx, volumeId);
  const to = nextState(row.state, transition);
  if (to === null) throw refusal(row.name, row.state, transition);
  const set: Record<string, string | number | null> = {
    ...params.set,
    state: to,
    reason,
    attempt,
    next_retry_at: nextRetryAtMs,
    updated_at: cause.nowMs,
    version: row.version + 1,
  };
  if (cause.operationId !== null) set['last_operation_id'] = cause.operationId;
  const columns = Object.keys(set);
  const changed = await tx.run(
    `update volumes set ${columns.map((column) => `${column} = ?`).join(', ')} where id = ? and version = ?`,
    [...Object.values(set), volumeId, row.version],
  );
  if (changed !== 1) throw new HoldfastError('conflict', `Volume ${row.name} was changed by somebody else just now.`);
  if (params.attachment !== undefined) await setAttachment(tx, params.attachment, cause);
  if (params.set?.purged_at != null) await forgetSnapshots(tx, volumeId);
  await appendEvent(tx, {
    resource: volumeResource(volumeId),
    type: `volume.${transition}`,
    data: {
      volume_id: volumeId,
      name: params.set?.name ?? row.name,
      from: row.state,
      state: to,
      ...(reason === null ? {} : { reason }),
      ...(attempt === 0 ? {} : { attempt }),
      ...(nextRetryAtMs === null ? {} : { next_retry_at: new Date(nextRetryAtMs).toISOString() }),
      ...params.detail,
    },
    operationId: cause.operationId,
    actor: cause.actor,
    createdAtMs: cause.nowMs,
  });
  return to;
}

/** {@link applyTransition} as a transaction of its own, or as the commit of a step. */
export const transitionVolume = transaction(import.meta.url, 'transitionVolume', applyTransition);

/** An event of a volume whose state stays. The volume's row is locked by it, so the order is gapless. */
export async function noteOnVolume(
  tx: Tx,
  params: {
    readonly volumeId: string;
    readonly type: string;
    readonly cause: Cause;
    readonly detail: Record<string, unknown>;
  },
): Promise<void> {
  const { volumeId, type, cause, detail } = params;
  const row = await lockVolume(tx, volumeId);
  await tx.run(
    'update volumes set version = version + 1, updated_at = ?, last_operation_id = coalesce(?, last_operation_id) where id = ?',
    [cause.nowMs, cause.operationId, volumeId],
  );
  await appendEvent(tx, {
    resource: volumeResource(volumeId),
    type,
    data: { volume_id: volumeId, name: row.name, from: row.state, state: row.state, ...detail },
    operationId: cause.operationId,
    actor: cause.actor,
    createdAtMs: cause.nowMs,
  });
}

/** Snapshots that went with their image are not told any more, and nothing can be made of them. */
export async function forgetSnapshots(tx: Tx, volumeId: string): Promise<void> {
  await tx.run(`update snapshots set state = 'deleted' where volume_id = ? and state <> 'deleted'`, [volumeId]);
}

async function lockVolume(tx: Tx, volumeId: string): Promise<StateRow> {
  const statement = `select name, state, version from volumes where id = ? ${tx.fragments.forUpdate}`;
  const [row] = await tx.rows<StateRow>(statement, [volumeId]);
  if (row === undefined) throw new HoldfastError('not_found', `There is no volume ${volumeId}.`);
  return row;
}

async function setAttachment(
  tx: Tx,
  attachment: NonNullable<TransitionParams['attachment']>,
  cause: Cause,
): Promise<void> {
  const isOver = attachment.state === 'detached';
  await tx.run(
    `update attachments set state = ?, detached_at = ?, detach_operation_id = coalesce(?, detach_operation_id) where id = ?`,
    [attachment.state, isOver ? cause.nowMs : null, attachment.detachOperationId ?? null, attachment.id],
  );
}

function refusal(name: string, state: VolumeState, transition: VolumeTransition): HoldfastError {
  const wish = wishes[transition] ?? transition.replace('_', ' ');
  const hint = isSettled(state) ? '' : '; wait until what is under way has ended';
  return new HoldfastError('conflict', `Volume ${name} is ${state} and cannot be ${wish} now${hint}.`, {
    state,
    transition,
  });
}

const wishes: Readonly<Partial<Record<VolumeTransition, string>>> = {
  create: 'created',
  attach: 'attached',
  detach: 'detached',
  delete: 'deleted',
  restore: 'restored',
};
