import type { UnstageRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type NodeContext, connectorOf, requireField, requirePath } from './context.ts';
import { unmountAll } from './mounting.ts';
import { mountedTargets } from './standing.ts';

/** NodeUnstageVolume: unmounts, then disconnects. What is not staged is success; what is still published is refused. */
export async function unstageVolume(node: NodeContext, request: UnstageRequest): Promise<object> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requirePath(request.staging_target_path, 'staging target path');
  return node.turns.take(volumeId, async () => {
    const record = await node.records.read(volumeId);
    if (record?.stagingPath !== path) {
      // It is staged elsewhere, if at all: what is here is of an earlier time.
      await unmountAll(node.system, path);
      return {};
    }
    const [used] = await mountedTargets(node, record);
    // The device would be taken from beneath whoever uses it there.
    if (used !== undefined) {
      throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId} is still published at ${used.path}.`);
    }
    if (record.access.kind === 'mount') await unmountAll(node.system, path);
    await connectorOf(node, record.context).disconnect(record);
    await node.records.remove(volumeId);
    return {};
  });
}
