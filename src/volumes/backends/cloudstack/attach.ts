import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Detachment, FencedContext, ImageAttachment, ImageFacts } from '../backend.ts';
import { hasAttachmentToRemove, refuseOtherAttachment } from '../image-rules.ts';
import { objectsIn, textIn } from './json.ts';
import type { VolumeRow } from './row.ts';
import {
  type Session,
  addTags,
  changeVolume,
  factsNow,
  raiseFence,
  removeTags,
  requireLive,
  steady,
} from './session.ts';
import { KEY, attachmentOf, attachmentTag, ownedOf, recordOf, strangerOf } from './tags.ts';

/** CloudStack takes device 0 for the root disk, and makes the volume one (its type changes from DATADISK to ROOT). */
const rootDevice = '0';

/**
 * Attaches the volume to the VM that `nodeId` names. The record is written first, as a tag that can be there once, so that
 * of two controllers one is refused before either acts; it counts only once CloudStack has the volume at that VM.
 * As a root disk it is attached to a stopped VM only.
 */
export async function attach(
  session: Session,
  context: FencedContext,
  image: string,
  attachment: ImageAttachment,
): Promise<ImageFacts> {
  const row = await requireLive(session, context, image);
  refuseOtherAttachment(ownedOf(image, row), attachment);
  if (attachment.mode === 'ro') throw noReadOnly();
  refuseStranger(image, row);
  const isAttached = attachmentOf(row) !== null;
  const isRoot = attachment.device === 'root';
  if (isRoot && !isAttached) await refuseRunning(session, attachment.nodeId, context.signal);
  await raiseFence(session, context, row);
  if (!isAttached) {
    await record(session, context, row, attachment);
    await connect(session, context, row, attachment);
  }
  return await factsNow(session, context, image, row.id);
}

/**
 * Removes one attachment. CloudStack's own detach names the volume alone, so the record decides whether it is still the
 * attachment that is meant.
 */
export async function detach(session: Session, context: FencedContext, image: string, named: Detachment) {
  if (named.force) throw noForce();
  const row = await steady(session, context, image);
  if (row === null) return;
  const isThere = hasAttachmentToRemove(ownedOf(image, row), named);
  const kept = recordOf(row);
  const isMeant = kept !== null && kept.attachmentId === named.attachmentId && kept.generation === named.generation;
  await raiseFence(session, context, row);
  if (!isMeant) return;
  if (isThere) await disconnect(session, context, row);
  await removeTags(session, context, row, { [KEY.attachment]: row.tags.get(KEY.attachment)! });
}

/** Takes the volume from the VM on record, if it is at one. */
export async function disconnect(session: Session, context: FencedContext, row: VolumeRow): Promise<void> {
  const attachment = attachmentOf(row);
  if (attachment === null) return;
  const isOff = (now: VolumeRow | null) => now?.virtualMachineId !== attachment.nodeId;
  await changeVolume(session, context, row, 'detachVolume', { id: row.id }, isOff);
}

/** Throws `conflict` when somebody else has attached the volume to a VM. */
export function refuseStranger(image: string, row: VolumeRow): void {
  const stranger = strangerOf(row);
  if (stranger === null) return;
  const message = `Volume ${image} is attached to VM ${stranger} in CloudStack, which Holdfast did not do.`;
  throw new HoldfastError('conflict', message, { watchers: [`VM ${stranger}`] });
}

/**
 * Writes the record. One that stands there is left from an attach that did not come about, or whose volume CloudStack has
 * taken off the VM since (an agent may finish a detach late): nothing is under way and its fence is not above ours.
 */
async function record(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  attachment: ImageAttachment,
): Promise<void> {
  const wanted = attachmentTag({ ...attachment, fence: context.fence });
  const standing = row.tags.get(KEY.attachment);
  if (standing === wanted) return;
  if (standing !== undefined) await removeTags(session, context, row, { [KEY.attachment]: standing });
  await addTags(session, context, row, { [KEY.attachment]: wanted });
}

async function connect(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  { nodeId, ...attachment }: ImageAttachment,
): Promise<void> {
  const device = attachment.device === 'root' ? { deviceid: rootDevice } : {};
  const parameters = { id: row.id, virtualmachineid: nodeId, ...device };
  const isOn = (now: VolumeRow | null) => now?.virtualMachineId === nodeId;
  try {
    await changeVolume(session, context, row, 'attachVolume', parameters, isOn);
  } catch (error) {
    if (isRefusal(error)) {
      const tag = attachmentTag({ nodeId, ...attachment, fence: context.fence });
      await removeTags(session, context, row, { [KEY.attachment]: tag });
    }
    throw error;
  }
}

/** Whether nothing was done, and nothing will be. */
function isRefusal(error: unknown): boolean {
  return error instanceof HoldfastError && ['invalid', 'conflict', 'not_found', 'unsupported'].includes(error.kind);
}

/** Throws `conflict` unless the VM is stopped, which it must be to get a root disk; `not_found` when there is none. */
export async function refuseRunning(session: Session, vmId: string, signal: AbortSignal): Promise<void> {
  const answer = await session.client.call('listVirtualMachines', { id: vmId }, signal);
  const [vm] = objectsIn(answer, 'virtualmachine');
  if (vm === undefined) throw new HoldfastError('not_found', `CloudStack has no VM ${vmId}.`);
  const state = textIn(vm, 'state') ?? 'in an unknown state';
  if (state === 'Stopped') return;
  const message = `VM ${vmId} is ${state}; a root disk can be attached to a stopped VM only.`;
  throw new HoldfastError('conflict', message, { vm_id: vmId, vm_state: state });
}

function noReadOnly(): HoldfastError {
  return new HoldfastError('unsupported', 'CloudStack attaches every volume for reading and writing.', {
    field: 'mode',
    provided_value: 'ro',
    allowed_values: ['rw'],
  });
}

function noForce(): HoldfastError {
  const message = 'CloudStack cannot cut off a VM that has a volume attached: stop the VM, then detach without force.';
  return new HoldfastError('unsupported', message);
}
