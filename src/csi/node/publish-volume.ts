import { requireAccess } from '../capabilities.ts';
import type { Labels, NodePublishRequest, NodeUnpublishRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type NodeContext, requireDevice, requireField, requirePath } from './context.ts';
import { bindMount, removeTarget, unmountAll } from './mounting.ts';
import { mountAt } from './mounts.ts';
import type { StageRecord } from './stage-records.ts';
import { raise } from './stage-volume.ts';
import { isShowing, mountedTargets } from './standing.ts';

/** NodePublishVolume: shows a staged volume at a path of a workload. A stage that was lost while nobody used it is made again. */
export async function publishVolume(node: NodeContext, request: NodePublishRequest): Promise<object> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requirePath(request.target_path, 'target path');
  const access = requireAccess(request.volume_capability);
  const isReadOnly = request.readonly || access.isReadOnly;
  if (request.staging_target_path === '') {
    throw new CsiRefusal('FAILED_PRECONDITION', 'The staging target path is missing: volumes are staged first.');
  }
  return node.turns.take(volumeId, async () => {
    const record = await requireStaged(node, volumeId, requirePath(request.staging_target_path, 'staging target path'));
    if (record.access.kind !== access.kind) {
      throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId} is staged as a ${record.access.kind}.`);
    }
    const targets = await mountedTargets(node, record);
    const before = targets.find((target) => target.path === path);
    if (before !== undefined && before.isReadOnly !== isReadOnly) {
      const how = before.isReadOnly ? 'read-only' : 'writable';
      throw new CsiRefusal('ALREADY_EXISTS', `Volume ${volumeId} is published at ${path} already, ${how}.`);
    }
    if (access.isExclusive && targets.some((target) => target.path !== path)) {
      throw new CsiRefusal(
        'FAILED_PRECONDITION',
        `Volume ${volumeId} is published elsewhere, and is for one workload.`,
      );
    }
    const { staged, device } = await requireStanding(node, record, request.publish_context);
    const mounted = await mountAt(await node.system.mounts(), path);
    if (mounted !== null) {
      if (before !== undefined && (await isShowing(mounted, device, access.kind))) return {};
      throw new CsiRefusal('FAILED_PRECONDITION', `Something else is mounted at ${path}.`);
    }
    await node.records.write({ ...staged, targets: [...targets, { path, isReadOnly }] });
    const isFile = access.kind === 'block';
    await bindMount(node.system, isFile ? device : staged.stagingPath, path, { isFile, isReadOnly });
    return {};
  });
}

async function requireStaged(node: NodeContext, volumeId: string, stagingPath: string): Promise<StageRecord> {
  const record = await node.records.read(volumeId);
  if (record?.stagingPath === stagingPath) return record;
  throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId.slice(0, 200)} is not staged at ${stagingPath}.`);
}

/**
 * A stage whose device answers and, for a filesystem, is what is mounted. An orchestrator that staged once does not do so
 * again.
 */
async function requireStanding(
  node: NodeContext,
  record: StageRecord,
  context: Labels,
): Promise<{ readonly staged: StageRecord; readonly device: string }> {
  // An orchestrator may leave it out here; where it does, the stage's own is as good as any.
  const wish = { ...record, context: Object.keys(context).length === 0 ? record.context : context };
  const staged = await raise(node, record, wish);
  return { staged, device: await requireDevice(node, staged) };
}

/** NodeUnpublishVolume: takes the volume from the path, and removes the path. What is not there is success. */
export async function unpublishVolume(node: NodeContext, request: NodeUnpublishRequest): Promise<object> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requirePath(request.target_path, 'target path');
  return node.turns.take(volumeId, async () => {
    await unmountAll(node.system, path);
    await removeTarget(path);
    const record = await node.records.read(volumeId);
    if (record?.targets.some((target) => target.path === path) === true) {
      await node.records.write({ ...record, targets: record.targets.filter((target) => target.path !== path) });
    }
    return {};
  });
}
