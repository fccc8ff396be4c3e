import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { findSnapshot, requireVolume } from '../queries.ts';
import { volumeDb } from '../tables.ts';
import { noteOnVolume } from '../transition.ts';
import type { Snapshot, SnapshotNameScope, Volume } from '../volume.ts';
import { accept } from './accepting.ts';
import { requireSteady } from './resize.ts';

export interface SnapshotInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly snapshotId: string;
  readonly snapshot: string;
}

const snapshotsPerVolumeMax = 1_000;

export interface AcceptSnapshot {
  readonly request: OperationRequest;
  readonly volume: string;
  readonly snapshotId: string;
  readonly name: string;
  readonly nameScope: SnapshotNameScope;
}

/** Accepts a snapshot of a volume, in use or not. */
export const acceptSnapshot = transaction(
  import.meta.url,
  'acceptSnapshot',
  (tx, params: AcceptSnapshot): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const { snapshotId, name, nameScope } = params;
      if (nameScope === 'all') await requireNewName(tx, name);
      const volume = await requireVolume(tx, params.volume);
      requireSteady(volume, 'snapshotted');
      await noteOnVolume(tx, {
        volumeId: volume.id,
        type: 'volume.snapshot',
        cause,
        detail: { snapshot_id: snapshotId, snapshot: name },
      });
      await requireRoom(tx, volume, name);
      await volumeDb(tx)
        .insertInto('snapshots')
        .values({
          id: snapshotId,
          volume_id: volume.id,
          name,
          size_bytes: String(volume.sizeBytes),
          state: 'creating',
          reason: null,
          created_at: cause.nowMs,
        })
        .execute();
      return { volumeId: volume.id, kind: 'volume.snapshot', input: inputOf(volume, { id: snapshotId, name }) };
    }),
);

export interface AcceptOnSnapshot {
  readonly request: OperationRequest;
  readonly volume: string;
  readonly snapshot: string;
}

/** Accepts the deletion of a snapshot. */
export const acceptSnapshotDelete = transaction(
  import.meta.url,
  'acceptSnapshotDelete',
  (tx, params: AcceptOnSnapshot): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      requireSteady(volume, 'changed', ['available', 'attached']);
      const snapshot = await requireSnapshot(tx, volume, params.snapshot);
      const detail = { snapshot_id: snapshot.id, snapshot: snapshot.name };
      await noteOnVolume(tx, { volumeId: volume.id, type: 'volume.snapshot_delete', cause, detail });
      await tx.run(`update snapshots set state = 'deleting' where id = ?`, [snapshot.id]);
      return { volumeId: volume.id, kind: 'volume.snapshot_delete', input: inputOf(volume, snapshot) };
    }),
);

/** Accepts making a volume what it was at a snapshot. Nobody may be using it. */
export const acceptRevert = transaction(
  import.meta.url,
  'acceptRevert',
  (tx, params: AcceptOnSnapshot): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      requireSteady(volume, 'reverted', ['available']);
      const snapshot = await requireSnapshot(tx, volume, params.snapshot);
      if (snapshot.state !== 'available') {
        throw new HoldfastError('conflict', `Snapshot ${snapshot.name} is ${snapshot.state}.`, {
          state: snapshot.state,
        });
      }
      const detail = { snapshot_id: snapshot.id, snapshot: snapshot.name };
      await noteOnVolume(tx, { volumeId: volume.id, type: 'volume.revert', cause, detail });
      return { volumeId: volume.id, kind: 'volume.revert', input: inputOf(volume, snapshot) };
    }),
);

async function requireSnapshot(tx: Tx, volume: Volume, reference: string): Promise<Snapshot> {
  const snapshot = await findSnapshot(tx, reference, volume.id);
  if (snapshot !== null) return snapshot;
  throw new HoldfastError('not_found', `Volume ${volume.name} has no snapshot ${reference.slice(0, 200)}.`, {
    field: 'snapshot',
  });
}

/** Throws `conflict` when a snapshot of any volume has the name; others that ask the same wait until this transaction ends. */
async function requireNewName(tx: Tx, name: string): Promise<void> {
  await tx.lock(`snapshot-name:${name}`);
  // Those of volumes in the trash count: they are back when their volume is restored.
  const [taken] = await tx.rows<{ id: string; volume_id: string; state: string }>(
    `select id, volume_id, state from snapshots where name = ? and state <> 'deleted' order by id limit 1`,
    [name],
  );
  if (taken === undefined) return;
  throw new HoldfastError('conflict', `Volume ${taken.volume_id} has a snapshot named ${name} already.`, {
    field: 'name',
    snapshot_id: taken.id,
    volume_id: taken.volume_id,
    state: taken.state,
  });
}

async function requireRoom(tx: Tx, volume: Volume, name: string): Promise<void> {
  const taken = await findSnapshot(tx, name, volume.id);
  if (taken !== null) {
    const message = `Volume ${volume.name} has a snapshot named ${name} already.`;
    throw new HoldfastError('conflict', message, { field: 'name', snapshot_id: taken.id, state: taken.state });
  }
  const [count] = await tx.rows<{ n: number }>(
    `select count(*) as n from snapshots where volume_id = ? and state <> 'deleted'`,
    [volume.id],
  );
  if (count!.n >= snapshotsPerVolumeMax) {
    const message = `Volume ${volume.name} has ${count!.n} snapshots, the most that it may have.`;
    throw new HoldfastError('conflict', message, { maximum_value: snapshotsPerVolumeMax });
  }
}

function inputOf(volume: Volume, snapshot: { readonly id: string; readonly name: string }): SnapshotInput {
  const { id: volumeId, backend, image } = volume;
  return { volumeId, backend, image, snapshotId: snapshot.id, snapshot: snapshot.name };
}
