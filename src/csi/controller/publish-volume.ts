import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Call } from '../call.ts';
import { requireAccess } from '../capabilities.ts';
import type { AttachMode, Attached, VolumeRecord } from '../holdfast.ts';
import type { Labels, PublishRequest, UnpublishRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type ControllerContext, requireField, requireVolume } from './context.ts';

/**
 * ControllerPublishVolume: attaches a volume at a node, and says how the node reaches it. The same wish again is answered by the
 * attachment that there is.
 */
export async function publishVolume(
  context: ControllerContext,
  request: PublishRequest,
  call: Call,
): Promise<{ publish_context: Labels }> {
  const { volume_id: volumeId, node_id: nodeId } = request;
  requireField(volumeId, 'volume id');
  requireField(nodeId, 'node id');
  const access = requireAccess(request.volume_capability);
  const mode = request.readonly || access.isReadOnly ? 'ro' : 'rw';
  const volume = await requireVolume(context, volumeId, call);
  if (!context.isNodeKnown(nodeId)) throw new CsiRefusal('NOT_FOUND', `There is no node ${nodeId.slice(0, 200)}.`);
  refuseOther(volume, nodeId, mode);
  try {
    return { publish_context: contextOf(await context.holdfast.attach(volumeId, nodeId, mode, call)) };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind !== 'conflict') throw error;
    // Somebody else was faster; which answer that is, the volume as it is now says.
    refuseOther(await requireVolume(context, volumeId, call), nodeId, mode);
    throw error;
  }
}

function refuseOther({ id, attachments }: VolumeRecord, nodeId: string, mode: AttachMode): void {
  const held = attachments.find(({ state }) => state !== 'failed' && state !== 'detached');
  if (held === undefined) return;
  if (held.nodeId !== nodeId) {
    throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${id} is attached at node ${held.nodeId}.`);
  }
  if (held.mode !== mode) {
    const message = `Volume ${id} is attached at node ${nodeId} already, ${held.mode === 'ro' ? 'read-only' : 'writable'}.`;
    throw new CsiRefusal('ALREADY_EXISTS', message);
  }
}

function contextOf({ attachmentId, serial, connection }: Attached): Labels {
  const common = { attachment_id: attachmentId, serial };
  if (connection === null) return common;
  const { transport, uri, host, port, name } = connection;
  return { ...common, transport, uri, host, port: String(port), name };
}

/**
 * ControllerUnpublishVolume: detaches the attachment of that node, exactly, or whichever there is when no node is named. What is
 * gone is success.
 */
export async function unpublishVolume(
  { holdfast }: ControllerContext,
  { volume_id: volumeId, node_id: nodeId }: UnpublishRequest,
  call: Call,
): Promise<object> {
  const volume = await holdfast.findVolume(requireField(volumeId, 'volume id'), call);
  const isMeant = (held: { readonly nodeId: string; readonly state: string }) =>
    (nodeId === '' || held.nodeId === nodeId) && held.state !== 'detached';
  const held = volume?.attachments.find(isMeant);
  if (volume === null || held === undefined) return {};
  if (held.state === 'detaching' && volume.lastOperation !== null) {
    await holdfast.settle(volume.lastOperation.id, call);
  } else {
    await holdfast.detach(volumeId, held.id, call);
  }
  return {};
}
