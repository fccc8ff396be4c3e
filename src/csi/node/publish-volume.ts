import { HoldfastError } from '../../kernel/errors/errors.ts';
import { requireAccess } from '../capabilities.ts';
import type { NodePublishRequest, NodeUnpublishRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type NodeContext, connectorOf, requireField, requirePath } from './context.ts';
import { bindMount, removeTarget, unmountAll } from './mounting.ts';
import { mountAt } from './mounts.ts';
import type { StageRecord } from './stage-records.ts';

/** NodePublishVolume: shows a staged volume at a path of a workload. */
export async function publishVolume(node: NodeContext, request: NodePublishRequest): Promise<object> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requirePath(request.target_path, 'target path');
  const access = requireAccess(request.volume_capability);
  const isReadOnly = request.readonly || access.isReadOnly;
  return node.turns.take(volumeId, async () => {
    const record = await requireStaged(node, volumeId, requirePath(request.staging_target_path, 'staging target path'));
    if (record.access.kind !== access.kind) {
      throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId} is staged as a ${record.access.kind}.`);
    }
    const before = record.targets.find((target) => target.path === path);
    if (before !== undefined && before.isReadOnly !== isReadOnly) {
      const how = before.isReadOnly ? 'read-only' : 'writable';
      throw new CsiRefusal('ALREADY_EXISTS', `Volume ${volumeId} is published at ${path} already, ${how}.`);
    }
    if (access.isExclusive && record.targets.some((target) => target.path !== path)) {
      throw new CsiRefusal(
        'FAILED_PRECONDITION',
        `Volume ${volumeId} is published elsewhere, and is for one workload.`,
      );
    }
    if (before === undefined) {
      await node.records.write({ ...record, targets: [...record.targets, { path, isReadOnly }] });
    }
    const isMounted = (await mountAt(await node.system.mounts(), path)) !== null;
    if (isMounted && before !== undefined) return {};
    if (isMounted) throw new CsiRefusal('FAILED_PRECONDITION', `Something else is mounted at ${path}.`);
    const source = await sourceOf(node, record);
    await bindMount(node.system, source, path, { isFile: access.kind === 'block', isReadOnly });
    return {};
  });
}

async function requireStaged(node: NodeContext, volumeId: string, stagingPath: string): Promise<StageRecord> {
  const record = await node.records.read(volumeId);
  if (record?.stagingPath === stagingPath) return record;
  throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId.slice(0, 200)} is not staged at ${stagingPath}.`);
}

/** What is shown: the staged folder, or the device itself. Either must really be there. */
async function sourceOf(node: NodeContext, record: StageRecord): Promise<string> {
  if (record.access.kind === 'mount') {
    if ((await mountAt(await node.system.mounts(), record.stagingPath)) !== null) return record.stagingPath;
    throw new CsiRefusal('FAILED_PRECONDITION', `Nothing is mounted at ${record.stagingPath}; stage the volume again.`);
  }
  const device = await connectorOf(node, record.context).find(record);
  if (device !== null) return device;
  throw new HoldfastError('conflict', `The device of volume ${record.volumeId} is gone; stage the volume again.`);
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
