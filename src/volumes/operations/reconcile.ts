import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { call, transaction } from '../../kernel/store/transaction.ts';
import type { ReconcileInput } from '../accepting/reconcile.ts';
import { type BackendData, dataColumn, seenData } from '../backend-data.ts';
import type { ImageAttachment, ImageFacts } from '../backends/backend.ts';
import { type Cause, applyTransition, forgetSnapshots, noteOnVolume } from '../transition.ts';
import { type VolumeOperationContext, causeOf, lifecycleStep, moved, plainStep } from './context.ts';

/** What the real system says of a volume in doubt. */
interface Finding {
  /** `cut_off`: an image stands there whose making has not ended. */
  readonly place: 'live' | 'cut_off' | 'absent';
  readonly size_bytes: string | null;
  readonly location: string | null;
  readonly attachment: ImageAttachment | null;
  readonly backend_data?: BackendData;
}

/**
 * Makes a volume in `error` true again: the backend is read, and what it says becomes the state. An image in the trash
 * is brought back, one that was cut off is completed, and an absent one is made anew (`pending`, then `creating`).
 */
export function reconcileVolumeKind(context: VolumeOperationContext): OperationKind<ReconcileInput> {
  return {
    name: 'volume.reconcile',
    run: async (op) => {
      const { backend: backendName, image, volumeId, name, sizeBytes } = op.input;
      const finding = await op.step(
        'read image',
        async (attempt) => {
          const backend = context.backend(backendName);
          let facts = await backend.inspect(attempt, image);
          if (facts?.place === 'trash') facts = await backend.restore(attempt, image);
          // An import that was cut off left the image without our tag. One with another's tag is refused here.
          const isOurs = facts === null || facts.volumeId === volumeId || isOwnCutOff(facts, volumeId);
          if (!isOurs) facts = await backend.adopt(attempt, image, { volumeId, name });
          return { ...toFinding(facts, volumeId), ...seenData(facts, op.nowMs()) };
        },
        {
          ...plainStep(context),
          commit: (found, nowMs) => call(recordFinding, { volumeId, finding: found, cause: causeOf(op, nowMs) }),
        },
      );
      if (finding.place === 'live') return finding;
      const { source, qos, parameters = {} } = op.input;
      const wanted = {
        volumeId,
        name,
        image,
        sizeBytes: BigInt(sizeBytes),
        ...(source === null || source === 'gone' ? {} : { source }),
        qos,
        parameters,
      };
      await op.step(
        'create image',
        async (attempt) => {
          // An empty image in place of a clone would be a lie about its content.
          if (source === 'gone') throw new HoldfastError('conflict', sourceGone);
          const facts = await context.backend(backendName).create(attempt, wanted);
          return { location: facts.location, ...seenData(facts, op.nowMs()) };
        },
        {
          ...lifecycleStep(op, context),
          commit: ({ location, ...seen }, nowMs) =>
            moved(op, nowMs, { transition: 'created', set: { location, ...dataColumn(seen) } }),
        },
      );
      return finding;
    },
    onFailed: (facts, error) => call(endReconcile, { ...facts, volumeId: facts.input.volumeId, reason: error.message }),
  };
}

const sourceGone = 'The image is gone, and so is the snapshot that its content came from; only a delete is left.';

/** An image under the volume's own id and without a tag: a create that was cut off, which a create completes. */
function isOwnCutOff(facts: ImageFacts, volumeId: string): boolean {
  return facts.volumeId === null && facts.image === volumeId;
}

function toFinding(facts: ImageFacts | null, volumeId: string): Finding {
  const nothing = { size_bytes: null, location: null, attachment: null };
  if (facts === null) return { place: 'absent', ...nothing };
  // It is no volume yet; it is completed as an absent one is made.
  if (!facts.complete || isOwnCutOff(facts, volumeId)) return { place: 'cut_off', ...nothing };
  const { location, attachment } = facts;
  return { place: 'live', size_bytes: String(facts.sizeBytes), location, attachment };
}

/** Writes what was found as the volume's state, its attachments included. */
export const recordFinding = transaction(
  import.meta.url,
  'recordFinding',
  async (tx, params: { readonly volumeId: string; readonly finding: Finding; readonly cause: Cause }) => {
    const { volumeId, finding, cause } = params;
    const [row] = await tx.rows<{ state: string }>('select state from volumes where id = ?', [volumeId]);
    // Another reconcile before this one in line has already done it.
    if (row?.state !== 'error') return;
    if (finding.attachment !== null) await knowAttachment(tx, volumeId, finding.attachment, cause);
    const attachmentId = finding.attachment?.attachmentId ?? null;
    await tx.run(
      `update attachments set state = 'detached', detached_at = ? where volume_id = ? and state <> 'detached' and id <> ?`,
      [cause.nowMs, volumeId, attachmentId ?? ''],
    );
    if (finding.place !== 'live') {
      const isGone = finding.place === 'absent';
      if (isGone) await forgetSnapshots(tx, volumeId);
      const reason = isGone
        ? 'The backend has no image of this volume.'
        : "The making of this volume's image has not ended.";
      await applyTransition(tx, { volumeId, transition: 'found_absent', cause, reason });
      await applyTransition(tx, { volumeId, transition: 'create', cause });
      return;
    }
    const set = { size_bytes: finding.size_bytes!, location: finding.location!, ...dataColumn(finding) };
    if (attachmentId === null) await applyTransition(tx, { volumeId, transition: 'found_available', cause, set });
    else {
      const detail = { node_id: finding.attachment!.nodeId, attachment_id: attachmentId };
      const attachment = { id: attachmentId, state: 'attached' as const };
      // Whoever wishes for the same again is answered by what fulfilled it, not by the attach that had failed.
      await tx.run(`update attachments set attach_operation_id = ? where id = ? and state = 'failed'`, [
        cause.operationId,
        attachmentId,
      ]);
      await applyTransition(tx, { volumeId, transition: 'found_attached', cause, set, attachment, detail });
    }
  },
);

/** An attachment that this store has never heard of (it was restored from a backup, say) is entered as it was found. */
async function knowAttachment(tx: Tx, volumeId: string, found: ImageAttachment, cause: Cause): Promise<void> {
  const { attachmentId, nodeId, mode, generation, device = null } = found;
  await tx.run(
    `insert into attachments (id, volume_id, node_id, mode, generation, state, attach_operation_id, created_at, device)
     values (?, ?, ?, ?, ?, 'attaching', ?, ?, ?) on conflict (id) do nothing`,
    [attachmentId, volumeId, nodeId, mode, generation, cause.operationId, cause.nowMs, device],
  );
  await tx.run('update volumes set generation = ? where id = ? and generation < ?', [generation, volumeId, generation]);
}

/** A reconcile that failed leaves the volume in `error`, with the new reason. */
export const endReconcile = transaction(
  import.meta.url,
  'endReconcile',
  async (
    tx,
    params: {
      readonly volumeId: string;
      readonly reason: string;
      readonly id: string;
      readonly actor: string;
      readonly nowMs: number;
    },
  ) => {
    const { volumeId, reason, id: operationId, actor, nowMs } = params;
    const cause = { operationId, actor, nowMs };
    const [row] = await tx.rows<{ state: string }>('select state from volumes where id = ?', [volumeId]);
    if (row?.state === 'creating' || row?.state === 'creating_failed') {
      await applyTransition(tx, { volumeId, transition: 'exhaust', cause, reason });
      return;
    }
    await noteOnVolume(tx, { volumeId, type: 'volume.reconcile_failed', cause, detail: { reason } });
    await tx.run('update volumes set reason = ? where id = ?', [reason, volumeId]);
  },
);
