import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { CreateImage, ImageAttachment, VolumeBackend } from './backend.ts';

/** What an adapter that keeps its own records knows of an image, and what the laws of the port judge by. */
export interface OwnedImage {
  readonly image: string;
  readonly volumeId: string | null;
  readonly sizeBytes: bigint;
  /** The highest fence seen. */
  readonly fence: number;
  readonly attachment: ImageAttachment | null;
}

const LIST_LIMIT_MAX = 1000;

/** Throws `unavailable` when the deadline of the call has passed. */
export function refusePassed(signal: AbortSignal, verb: string): void {
  if (signal.aborted) throw passed(verb);
}

export function passed(verb: string): HoldfastError {
  return new HoldfastError('unavailable', `The deadline passed during ${verb}; what became of it is unknown.`);
}

/** Throws `invalid` for a parameter of a create that the backend does not take. */
export function refuseUnknownParameters(
  { name, createParameters }: Pick<VolumeBackend, 'name' | 'createParameters'>,
  parameters: CreateImage['parameters'] = {},
): void {
  const unknown = Object.keys(parameters).find((parameter) => !createParameters.includes(parameter));
  if (unknown === undefined) return;
  const known = createParameters.length === 0 ? 'no parameters' : createParameters.join(', ');
  throw new HoldfastError('invalid', `The ${name} backend does not know ${unknown}; it takes ${known}.`, {
    field: unknown,
    provided_value: parameters[unknown],
  });
}

/** Throws `unsupported` for an attachment as a root disk, for backends that have no such thing. */
export function refuseRootDevice(name: string, { device }: ImageAttachment): void {
  if (device === undefined) return;
  const message = `The ${name} backend attaches no volume as a root disk.`;
  throw new HoldfastError('unsupported', message, { field: 'device', provided_value: device });
}

/** Throws `conflict` for a fence lower than the image has seen. */
export function refuseStaleFence(image: OwnedImage, fence: number): void {
  if (fence >= image.fence) return;
  const message = `Image ${image.image} has seen fence ${image.fence}; ${fence} comes too late.`;
  throw new HoldfastError('conflict', message, { reason: 'stale_fence' });
}

/** Throws `conflict` unless a create may adopt the image that stands under its name. */
export function refuseUnlessOurs(standing: OwnedImage, params: CreateImage): void {
  if (standing.volumeId === null && !isOwnCutOff(standing, params)) throw taken(params.image, null);
  if (standing.volumeId !== null && standing.volumeId !== params.volumeId) throw taken(params.image, standing.volumeId);
  if (standing.sizeBytes <= params.sizeBytes) return;
  const message = `Image ${params.image} has ${standing.sizeBytes} bytes already, more than ${params.sizeBytes}.`;
  throw new HoldfastError('conflict', message);
}

/**
 * An untagged image is our own create, cut off before the tag, when its name is the volume's id, which nobody else knows
 * before the volume exists, and it is as large as was asked for. A clone's content could not be told from another's.
 */
function isOwnCutOff(standing: OwnedImage, params: CreateImage): boolean {
  return params.image === params.volumeId && standing.sizeBytes === params.sizeBytes && params.source === undefined;
}

/** Throws `conflict` unless the untagged or own image may get this tag. */
export function refuseUnlessAdoptable(standing: OwnedImage, volumeId: string): void {
  if (standing.volumeId !== null && standing.volumeId !== volumeId) throw taken(standing.image, standing.volumeId);
}

/** Throws `invalid` for a clone smaller than its snapshot. */
export function refuseSmallClone(params: CreateImage, snapshotBytes: bigint): void {
  if (params.sizeBytes >= snapshotBytes) return;
  const message = `A clone of this snapshot needs at least ${snapshotBytes} bytes, not ${params.sizeBytes}.`;
  throw new HoldfastError('invalid', message);
}

/** Throws `invalid` for a resize that would shrink. */
export function refuseShrinking(standing: OwnedImage, sizeBytes: bigint): void {
  if (sizeBytes >= standing.sizeBytes) return;
  const message = `Image ${standing.image} has ${standing.sizeBytes} bytes and is never shrunk to ${sizeBytes}.`;
  throw new HoldfastError('invalid', message);
}

/** Throws `conflict` when another attachment is on record. */
export function refuseOtherAttachment(standing: OwnedImage, wanted: ImageAttachment): void {
  const { attachment: there } = standing;
  if (there === null) return;
  const isSameName = namesSame(there, wanted) && there.nodeId === wanted.nodeId;
  const isSame = isSameName && there.mode === wanted.mode && there.device === wanted.device;
  if (!isSame) throw attachedElsewhere(standing.image, there);
}

/** Whether there is a record to remove. Throws `conflict` when it is of another attachment: a late detach ends here. */
export function hasAttachmentToRemove(
  standing: OwnedImage,
  named: { readonly attachmentId: string; readonly generation: number },
): boolean {
  if (standing.attachment === null) return false;
  if (!namesSame(standing.attachment, named)) throw attachedElsewhere(standing.image, standing.attachment);
  return true;
}

/** Throws `invalid` for a page that the port does not allow. */
export function refuseWrongLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIST_LIMIT_MAX) return;
  throw new HoldfastError('invalid', `A page has 1 to ${LIST_LIMIT_MAX} images, not ${limit}.`);
}

export function noImage(image: string): HoldfastError {
  return new HoldfastError('not_found', `The backend has no image ${image}.`);
}

export function noSnapshot(image: string, snapshot: string): HoldfastError {
  return new HoldfastError('not_found', `Image ${image} has no snapshot ${snapshot}.`);
}

export function isInTrash(image: string): HoldfastError {
  return new HoldfastError('conflict', `Image ${image} is in the trash; restore it first.`);
}

export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function taken(image: string, owner: string | null): HoldfastError {
  const whose = owner === null ? 'an image that Holdfast did not make' : `volume ${owner}`;
  return new HoldfastError('conflict', `The name ${image} is taken by ${whose}.`, { volumeId: owner });
}

function attachedElsewhere(image: string, attachment: ImageAttachment): HoldfastError {
  const { attachmentId, nodeId, generation } = attachment;
  const message = `Image ${image} is attached to ${nodeId} (attachment ${attachmentId}, generation ${generation}).`;
  return new HoldfastError('conflict', message, { attachment });
}

interface AttachmentName {
  readonly attachmentId: string;
  readonly generation: number;
}

function namesSame(a: AttachmentName, b: AttachmentName): boolean {
  return a.attachmentId === b.attachmentId && a.generation === b.generation;
}
