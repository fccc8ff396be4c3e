import type { UnstageRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type NodeContext, connectorOf, requireField, requirePath } from './context.ts';
import { unmountAll } from './mounting.ts';
import { mountAt } from './mounts.ts';

/** NodeUnstageVolume: unmounts, then disconnects. What is not staged is success; what is still published is refused. */
export async function unstageVolume(node: NodeContext, request: UnstageRequest): Promise<object> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requirePath(request.staging_target_path, 'staging target path');
  return node.turns.take(volumeId, async () => {
    const record = await node.records.read(volumeId);
    if (record === null) {
      await unmountAll(node.system, path);
      return {};
    }
    // It is staged elsewhere, so nothing of it is here.
    if (record.stagingPath !== path) return {};
    const mounts = await node.system.mounts();
    for (const target of record.targets) {
      // The device would be taken from beneath whoever uses it there.
      if ((await mountAt(mounts, target.path)) === null) continue;
      throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId} is still published at ${target.path}.`);
    }
    if (record.access.kind === 'mount') await unmountAll(node.system, path);
    await connectorOf(node, record.context).disconnect(record);
    await node.records.remove(volumeId);
    return {};
  });
}
