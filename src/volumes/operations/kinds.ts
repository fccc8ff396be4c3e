import type { Engine } from '../../kernel/operations/engine.ts';
import { attachVolumeKind } from './attach.ts';
import type { VolumeOperationContext } from './context.ts';
import { createVolumeKind } from './create.ts';
import { deleteVolumeKind, purgeVolumeKind } from './delete.ts';
import { detachVolumeKind } from './detach.ts';
import { exportVolumeKind, repairExportKind, unexportVolumeKind } from './exports.ts';
import { importVolumeKind } from './import.ts';
import { reconcileVolumeKind } from './reconcile.ts';
import { qosVolumeKind, resizeVolumeKind } from './resize.ts';
import { restoreVolumeKind } from './restore.ts';
import { deleteSnapshotKind, revertVolumeKind, snapshotVolumeKind } from './snapshots.ts';

/** Makes every operation of volumes known to the engine. */
export function registerVolumeOperations(engine: Engine, context: VolumeOperationContext): void {
  engine.register(createVolumeKind(context));
  engine.register(attachVolumeKind(context));
  engine.register(detachVolumeKind(context));
  engine.register(exportVolumeKind(context));
  engine.register(unexportVolumeKind(context));
  engine.register(repairExportKind(context));
  engine.register(deleteVolumeKind(context));
  engine.register(purgeVolumeKind(context));
  engine.register(restoreVolumeKind(context));
  engine.register(reconcileVolumeKind(context));
  engine.register(resizeVolumeKind(context));
  engine.register(qosVolumeKind(context));
  engine.register(snapshotVolumeKind(context));
  engine.register(deleteSnapshotKind(context));
  engine.register(revertVolumeKind(context));
  engine.register(importVolumeKind(context));
}
