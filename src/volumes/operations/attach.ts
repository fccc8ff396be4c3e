import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Attempt, Op, OperationKind } from '../../kernel/operations/operation.ts';
import type { Call } from '../../kernel/store/transaction.ts';
import type { AttachInput } from '../accepting/attach.ts';
import { type SeenData, dataColumn, seenData } from '../backend-data.ts';
import type { MadeExport } from '../exports/runner.ts';
import { type VolumeOperationContext, lifecycleStep, moved, movedWith, plainStep } from './context.ts';
import { endOfAttach } from './end-of-attach.ts';

/** What a client needs to know of an attachment. */
interface Attached {
  readonly attachment_id: string;
  readonly node_id: string;
  readonly generation: number;
  readonly exports: readonly {
    readonly id: string;
    readonly transport: MadeExport['transport'];
    readonly connection: MadeExport['connection'];
  }[];
}

/**
 * Records the attachment in the real system, which refuses when somebody else has the image open, and then makes the export
 * through which the node reaches it, where it needs one.
 */
export function attachVolumeKind(context: VolumeOperationContext): OperationKind<AttachInput> {
  return {
    name: 'volume.attach',
    run: async (op) => {
      const { exportId, staleExportId } = op.input;
      if (staleExportId !== null) {
        const remove = (attempt: Attempt) => context.exports.remove(attempt, staleExportId, true);
        await op.step('remove stale export', remove, lifecycleStep(op, context));
      }
      await recordAttachment(op, context);
      const exports = exportId === null ? [] : [await makeExport(op, context, exportId)];
      const { attachmentId, nodeId, generation } = op.input;
      const attached: Attached = { attachment_id: attachmentId, node_id: nodeId, generation, exports };
      return attached;
    },
    onFailed: (facts, error) => endOfAttach(facts, facts.nowMs, 'exhaust', error.message),
    cancel: async (op) => {
      await takeBack(op, context);
      return endOfAttach(op, op.nowMs(), 'cancelled', 'The attach was cancelled.');
    },
    onCancelledBeforeStart: (facts) => endOfAttach(facts, facts.nowMs, 'cancelled', 'The attach was cancelled.'),
  };
}

async function recordAttachment(op: Op<AttachInput>, context: VolumeOperationContext): Promise<void> {
  const { backend, image, attachmentId, nodeId, generation, mode, device, exportId } = op.input;
  const wanted = { attachmentId, nodeId, generation, mode, ...(device === undefined ? {} : { device }) };
  const attached = { transition: 'attached', attachment: { id: attachmentId, state: 'attached' } } as const;
  await op.step(
    'attach image',
    async (attempt): Promise<SeenData> =>
      seenData(await context.backend(backend).attach(attempt, image, wanted), op.nowMs()),
    {
      ...lifecycleStep(op, context),
      // With an export the volume is attached when the node can reach it, and not before.
      ...(exportId === null
        ? { commit: (seen: SeenData, nowMs: number) => moved(op, nowMs, { ...attached, set: dataColumn(seen) }) }
        : {}),
    },
  );
}

async function makeExport(op: Op<AttachInput>, context: VolumeOperationContext, exportId: string) {
  const { attachmentId } = op.input;
  const attached = { transition: 'attached', attachment: { id: attachmentId, state: 'attached' } } as const;
  try {
    const made = await op.step('add export', (attempt) => context.exports.add(attempt, exportId), {
      ...lifecycleStep(op, context),
      commit: ({ connection, clients }, nowMs) =>
        movedWith(op, nowMs, exportId, { state: 'active', connection, clients }, attached),
    });
    return { id: exportId, transport: made.transport, connection: made.connection };
  } catch (error) {
    // What was refused for good leaves nothing behind, so the volume is as free as before.
    if (error instanceof HoldfastError && isRefusal(error)) {
      await takeBack(op, context, (nowMs) => endOfAttach(op, nowMs, 'cancelled', error.message));
    }
    throw error;
  }
}

/** Removes what the operation may have made, from the top down; `end` is written with the last of it. */
async function takeBack(
  op: Op<AttachInput>,
  context: VolumeOperationContext,
  end?: (nowMs: number) => Call,
): Promise<void> {
  const { backend, image, attachmentId, generation, exportId } = op.input;
  if (exportId !== null) {
    await op.step('take export back', (attempt) => context.exports.remove(attempt, exportId, true), plainStep(context));
  }
  await op.step(
    'remove attachment',
    (attempt) => context.backend(backend).detach(attempt, image, { attachmentId, generation, force: false }),
    { ...plainStep(context), ...(end === undefined ? {} : { commit: (_: void, nowMs: number) => end(nowMs) }) },
  );
}

/** Whether nothing was done, and nothing will be. */
function isRefusal({ kind }: HoldfastError): boolean {
  return kind === 'unsupported' || kind === 'invalid' || kind === 'not_found' || kind === 'conflict';
}
