import type { ImageAttachment, QosLimits } from '../backend.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CephImage } from './image.ts';

/**
 * What Holdfast keeps with an image, as RBD image metadata.
 *
 * `rbd clone` and `rbd deep cp` copy an image's metadata to the new image, tags included. So the tags also carry the
 * internal id of the image for which they were written, and tags with another id are somebody else's and do not count.
 */
const PREFIX = 'holdfast.';
const KEY = {
  imageId: 'holdfast.image_id',
  volumeId: 'holdfast.volume_id',
  name: 'holdfast.name',
  fence: 'holdfast.fence',
  complete: 'holdfast.complete',
  attachment: 'holdfast.attachment',
  flattening: 'holdfast.flattening',
} as const;

/** librbd keeps these limits itself, in every client that opens the image (Ceph documents: RBD QoS settings). */
const QOS_KEYS: Readonly<Record<keyof QosLimits, string>> = {
  iops: 'conf_rbd_qos_iops_limit',
  read_iops: 'conf_rbd_qos_read_iops_limit',
  write_iops: 'conf_rbd_qos_write_iops_limit',
  bytes_per_second: 'conf_rbd_qos_bps_limit',
  read_bytes_per_second: 'conf_rbd_qos_read_bps_limit',
  write_bytes_per_second: 'conf_rbd_qos_write_bps_limit',
};

export interface Tags {
  readonly volumeId: string | null;
  readonly name: string | null;
  readonly fence: number;
  readonly complete: boolean;
  readonly attachment: ImageAttachment | null;
}

const NO_TAGS: Tags = { volumeId: null, name: null, fence: 0, complete: true, attachment: null };

export async function readTags(image: CephImage): Promise<Tags> {
  const metadata = await image.metadata(PREFIX);
  if (metadata.size === 0 || metadata.get(KEY.imageId) !== (await image.id())) return NO_TAGS;
  const volumeId = metadata.get(KEY.volumeId) ?? null;
  const attachment = metadata.get(KEY.attachment);
  return {
    volumeId,
    name: metadata.get(KEY.name) ?? null,
    fence: Number(metadata.get(KEY.fence) ?? 0),
    // Only what Holdfast makes can be cut off; an image without our tag is taken for whole.
    complete: volumeId === null || metadata.get(KEY.complete) === '1',
    attachment: attachment === undefined ? null : (JSON.parse(attachment) as ImageAttachment),
  };
}

/** Refuses a fence lower than the image has seen. */
export function checkFence(tags: Tags, fence: number): void {
  if (fence >= tags.fence) return;
  throw new HoldfastError('conflict', `The image has seen fence ${tags.fence}; ${fence} comes too late.`, {
    reason: 'stale_fence',
  });
}

/** Keeps the fence with the image, before the change that it covers. */
export async function raiseFence(image: CephImage, tags: Tags, fence: number): Promise<void> {
  checkFence(tags, fence);
  if (fence === tags.fence) return;
  await ownTags(image);
  await image.setMetadata(KEY.fence, String(fence));
}

/** Puts the owner's tag on the image; what a clone inherited from its parent goes. */
export async function writeOwner(
  image: CephImage,
  owner: { readonly volumeId: string; readonly name: string; readonly complete: boolean },
): Promise<void> {
  await ownTags(image);
  await image.setMetadata(KEY.complete, owner.complete ? '1' : '0');
  await image.setMetadata(KEY.name, owner.name);
  await image.setMetadata(KEY.volumeId, owner.volumeId);
}

export async function writeComplete(image: CephImage): Promise<void> {
  await image.setMetadata(KEY.complete, '1');
}

export async function writeAttachment(image: CephImage, attachment: ImageAttachment | null): Promise<void> {
  if (attachment === null) {
    await image.removeMetadata(KEY.attachment);
    return;
  }
  await ownTags(image);
  const { attachmentId, nodeId, generation, mode } = attachment;
  await image.setMetadata(KEY.attachment, JSON.stringify({ attachmentId, nodeId, generation, mode }));
}

/** Makes the image's limits exactly these. */
export async function writeQos(image: CephImage, qos: QosLimits): Promise<void> {
  const present = await image.metadata('conf_rbd_qos_');
  for (const [limit, key] of Object.entries(QOS_KEYS)) {
    const value = qos[limit as keyof QosLimits];
    if (value !== undefined) await image.setMetadata(key, String(value));
    else if (present.has(key)) await image.removeMetadata(key);
  }
}

/** A clone to make independent, by what survives JSON. */
export interface CloneRef {
  readonly poolId: string;
  readonly namespace: string;
  readonly id: string;
}

/**
 * The clones whose flattening has begun. librbd takes a clone off its parent's list first and the parent out of the
 * clone's header after; killed in between, the parent looks free while the clone still cannot be opened without it.
 * Only this record then says that the parent must wait.
 */
export async function readFlattening(image: CephImage): Promise<readonly CloneRef[]> {
  const text = (await image.metadata(PREFIX)).get(KEY.flattening);
  return text === undefined ? [] : (JSON.parse(text) as readonly CloneRef[]);
}

export async function writeFlattening(image: CephImage, clones: readonly CloneRef[]): Promise<void> {
  await ownTags(image);
  await image.setMetadata(KEY.flattening, JSON.stringify(clones));
}

/** Makes the tags on the image its own: inherited ones are removed first, and only then does the id make them count. */
async function ownTags(image: CephImage): Promise<void> {
  const id = await image.id();
  const metadata = await image.metadata(PREFIX);
  if (metadata.get(KEY.imageId) === id) return;
  for (const key of metadata.keys()) await image.removeMetadata(key);
  await image.setMetadata(KEY.imageId, id);
}
