import { HoldfastError } from '../../kernel/errors/errors.ts';
import { boundsOf } from '../capacity.ts';
import type { NodeExpandRequest } from '../messages.ts';
import { type NodeContext, connectorOf, requireDevice, requireField, requireStagedAt } from './context.ts';
import { deviceBytes, growFilesystem } from './filesystems.ts';

/** NodeExpandVolume: makes the kernel see the volume's new size, and the filesystem use it. */
export async function expandVolume(node: NodeContext, request: NodeExpandRequest): Promise<{ capacity_bytes: string }> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requireField(request.volume_path, 'volume path');
  const { requiredBytes } = boundsOf(request.capacity_range);
  return node.turns.take(volumeId, async () => {
    const record = await requireStagedAt(node, volumeId, path);
    const device = await requireDevice(node, record);
    const connector = connectorOf(node, record.context);
    if ((await connector.link(record)) !== 'live') {
      throw new HoldfastError('unavailable', `The connection of volume ${volumeId} at this node broke.`);
    }
    await connector.refresh(record, device);
    const sizeBytes = await deviceBytes(node.system, device);
    if (requiredBytes !== null && sizeBytes < requiredBytes) {
      const message = `${device} still has ${sizeBytes} bytes; the new size is seen when the volume is staged again.`;
      throw new HoldfastError('conflict', message);
    }
    const { access } = record;
    if (access.kind === 'mount' && !access.isReadOnly) {
      await growFilesystem(node.system, access.filesystem, device, record.stagingPath);
    }
    return { capacity_bytes: String(sizeBytes) };
  });
}
