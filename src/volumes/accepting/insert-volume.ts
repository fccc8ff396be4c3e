import { HoldfastError } from '../../kernel/errors/errors.ts';
import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import type { QosLimits } from '../backends/backend.ts';
import { volumeDb } from '../tables.ts';
import { type Cause, applyTransition } from '../transition.ts';
import { volumeResource } from '../volume.ts';

export interface NewVolume {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: bigint;
  readonly backend: string;
  readonly image: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly qos: QosLimits;
  readonly sourceSnapshotId: string | null;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Enters a volume as `pending` and lets it go on to `creating`. Throws `conflict` when its name is taken. */
export async function insertVolume(
  tx: Tx,
  volume: NewVolume,
  cause: Cause,
  requested: Record<string, unknown> = {},
): Promise<void> {
  await requireFreeName(tx, volume.name);
  await volumeDb(tx)
    .insertInto('volumes')
    .values({
      id: volume.id,
      name: volume.name,
      state: 'pending',
      reason: null,
      size_bytes: String(volume.sizeBytes),
      backend: volume.backend,
      image: volume.image,
      location: null,
      metadata: JSON.stringify(volume.metadata),
      qos: JSON.stringify(volume.qos),
      source_snapshot_id: volume.sourceSnapshotId,
      attempt: 0,
      next_retry_at: null,
      last_operation_id: cause.operationId,
      generation: 0,
      version: 1,
      created_at: cause.nowMs,
      updated_at: cause.nowMs,
      trash_expires_at: null,
      purged_at: null,
      parameters: JSON.stringify(volume.parameters),
      backend_data: null,
    })
    .execute();
  await appendEvent(tx, {
    resource: volumeResource(volume.id),
    type: 'volume.requested',
    data: { volume_id: volume.id, name: volume.name, from: null, state: 'pending', ...requested },
    operationId: cause.operationId,
    actor: cause.actor,
    createdAtMs: cause.nowMs,
  });
  await applyTransition(tx, { volumeId: volume.id, transition: 'create', cause });
}

/** Names are unique among volumes that are not deleted. */
export async function requireFreeName(tx: Tx, name: string): Promise<void> {
  await tx.lock(`volume-name:${name}`);
  const [taken] = await tx.rows<{ id: string; state: string }>(
    `select id, state from volumes where name = ? and state <> 'deleted'`,
    [name],
  );
  if (taken === undefined) return;
  throw new HoldfastError('conflict', `A volume named ${name} exists already.`, {
    field: 'name',
    volume_id: taken.id,
    state: taken.state,
  });
}
