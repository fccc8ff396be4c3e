import type { Op, OperationFacts, OperationKind } from '../../kernel/operations/operation.ts';
import type { ExportInput, RepairInput, UnexportInput } from '../accepting/exports.ts';
import type { ExportState } from '../export.ts';
import { type VolumeOperationContext, exported, isInUse, plainStep } from './context.ts';

/** Makes an export of an attached volume. */
export function exportVolumeKind(context: VolumeOperationContext): OperationKind<ExportInput> {
  return {
    name: 'volume.export',
    run: async (op) => {
      const { exportId } = op.input;
      const { transport, connection } = await addExport(op, context, 'add');
      return { exports: [{ id: exportId, transport, connection }] };
    },
    // Whether a part of it stands at its host is looked at there; on record it is none.
    onFailed: (facts, error) => ended(facts, 'removed', error.message, 'volume.export_failed'),
    onCancelledBeforeStart: (facts) => ended(facts, 'removed', 'The export was cancelled.'),
  };
}

/** Makes an export again that its host has lost. */
export function repairExportKind(context: VolumeOperationContext): OperationKind<RepairInput> {
  return {
    name: 'volume.export_repair',
    run: async (op) => {
      const { transport, connection } = await addExport(op, context, 'repair');
      return { exports: [{ id: op.input.exportId, transport, connection }] };
    },
    onFailed: (facts, error) => ended(facts, 'lost', error.message, 'volume.export_repair_failed'),
    onCancelledBeforeStart: (facts) => ended(facts, 'lost', 'The repair was cancelled.'),
  };
}

/** Removes an export; the volume stays attached. */
export function unexportVolumeKind(context: VolumeOperationContext): OperationKind<UnexportInput> {
  return {
    name: 'volume.unexport',
    run: async (op) => {
      const { exportId, force } = op.input;
      await op.step('remove export', (attempt) => context.exports.remove(attempt, exportId, force), {
        ...plainStep(context),
        commit: (_, nowMs) => exported(op, nowMs, { exportId, state: 'removed' }),
      });
    },
    onFailed: (facts, error) =>
      ended(facts, isInUse(error) ? 'active' : 'lost', error.message, 'volume.unexport_failed'),
    onCancelledBeforeStart: (facts) => ended(facts, 'lost', 'The removal was cancelled.'),
  };
}

function addExport(op: Op<ExportInput>, context: VolumeOperationContext, verb: 'add' | 'repair') {
  const { exportId } = op.input;
  return op.step('add export', (attempt) => context.exports[verb](attempt, exportId), {
    ...plainStep(context),
    commit: ({ connection, clients }, nowMs) => exported(op, nowMs, { exportId, state: 'active', connection, clients }),
  });
}

function ended(facts: OperationFacts<ExportInput>, state: ExportState, reason: string, failure?: string) {
  const { exportId } = facts.input;
  return exported(facts, facts.nowMs, { exportId, state, reason, ...(failure === undefined ? {} : { failure }) });
}
