import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ImageAttachment } from '../backend.ts';
import type { CephImage } from './image.ts';

/**
 * What Holdfast keeps with an image, as RBD image metadata: one key with all tags as JSON, so that a change of several is
 * one step, and a change made from an old reading can be told and refused.
 *
 * `rbd clone` and `rbd deep cp` copy an image's metadata to the new image, tags included. So the tags also carry the
 * internal id of the image for which they were written, and tags with another id are somebody else's and do not count.
 */
export const TAGS_KEY = 'holdfast.tags';
const FLATTENING_KEY = 'holdfast.flattening';
const PREFIX = 'holdfast.';

export interface TagValues {
  readonly volumeId: string | null;
  readonly name: string | null;
  readonly fence: number;
  readonly complete: boolean;
  readonly attachment: ImageAttachment | null;
}

/** The tags as they were read. */
export interface Tags extends TagValues {
  /** The text under {@link TAGS_KEY}, inherited or not; what a change expects still to stand there. */
  readonly stored: string | null;
}

/** The JSON under {@link TAGS_KEY}. */
interface StoredTags {
  readonly image_id: string;
  readonly volume_id?: string;
  readonly name?: string;
  readonly fence: number;
  readonly complete: boolean;
  readonly attachment?: ImageAttachment;
}

// Only what Holdfast makes can be cut off; an image without our tag is taken for whole.
const NO_TAGS: TagValues = { volumeId: null, name: null, fence: 0, complete: true, attachment: null };

export async function readTags(image: CephImage): Promise<Tags> {
  const text = (await image.metadata(PREFIX)).get(TAGS_KEY);
  return tagsFrom(text ?? null, await image.id());
}

/** The tags of the image with this internal id, from what stands under {@link TAGS_KEY}. */
export function tagsFrom(text: string | null, imageId: string): Tags {
  if (text === null) return { ...NO_TAGS, stored: null };
  const stored = parse(text) as StoredTags;
  if (stored.image_id !== imageId) return { ...NO_TAGS, stored: text };
  return {
    volumeId: stored.volume_id ?? null,
    name: stored.name ?? null,
    fence: stored.fence,
    complete: stored.complete,
    attachment: stored.attachment ?? null,
    stored: text,
  };
}

/** The text under {@link TAGS_KEY} that makes these the tags of the image with this internal id. */
export function storedTags(imageId: string, tags: TagValues): string {
  const { volumeId, name, fence, complete, attachment } = tags;
  const stored: StoredTags = {
    image_id: imageId,
    ...(volumeId === null ? {} : { volume_id: volumeId }),
    ...(name === null ? {} : { name }),
    fence,
    complete,
    ...(attachment === null ? {} : { attachment: attachmentFields(attachment) }),
  };
  return JSON.stringify(stored);
}

/** Refuses a fence lower than the image has seen. */
export function checkFence(tags: TagValues, fence: number): void {
  if (fence >= tags.fence) return;
  throw new HoldfastError('conflict', `The image has seen fence ${tags.fence}; ${fence} comes too late.`, {
    reason: 'stale_fence',
  });
}

/** Keeps the fence with the image, before the change that it covers. Resolves to the tags as they are then. */
export async function raiseFence(image: CephImage, tags: Tags, fence: number): Promise<Tags> {
  checkFence(tags, fence);
  return fence === tags.fence ? tags : await writeTags(image, tags, { fence });
}

/**
 * Changes tags together, in one step.
 *
 * @param tags what was read before, from which the change was decided
 * @returns the tags as they are then
 * @throws HoldfastError `conflict` when another process has raised the fence since they were read; `unavailable` when it
 * has changed them otherwise, which is to be tried again
 */
export async function writeTags(image: CephImage, tags: Tags, changes: Partial<TagValues>): Promise<Tags> {
  const { stored: before, ...values } = tags;
  const wanted = { ...values, ...changes };
  checkFence(tags, wanted.fence);
  const stored = storedTags(await image.id(), wanted);
  if (stored === before) return tags;
  if (await image.setMetadataIf({ key: TAGS_KEY, value: before }, stored)) return { ...wanted, stored };
  checkFence(await readTags(image), wanted.fence);
  throw new HoldfastError('unavailable', 'Another process has changed the tags of the image meanwhile; try again.');
}

/** A clone to make independent, by what survives JSON. */
export interface CloneRef {
  readonly poolId: string;
  readonly namespace: string;
  readonly id: string;
}

/** The JSON under {@link FLATTENING_KEY}; it bears the id of its image for the same reason as the tags. */
interface StoredFlattening {
  readonly image_id: string;
  readonly clones: readonly CloneRef[];
}

/**
 * The clones whose flattening has begun. librbd takes a clone off its parent's list first and the parent out of the
 * clone's header after; killed in between, the parent looks free while the clone still cannot be opened without it.
 * Only this record then says that the parent must wait.
 */
export async function readFlattening(image: CephImage): Promise<readonly CloneRef[]> {
  const text = (await image.metadata(PREFIX)).get(FLATTENING_KEY);
  if (text === undefined) return [];
  const stored = parse(text) as StoredFlattening;
  return stored.image_id === (await image.id()) ? stored.clones : [];
}

export async function writeFlattening(image: CephImage, clones: readonly CloneRef[]): Promise<void> {
  const stored: StoredFlattening = { image_id: await image.id(), clones };
  await image.setMetadata(FLATTENING_KEY, JSON.stringify(stored));
}

function attachmentFields({ attachmentId, nodeId, generation, mode }: ImageAttachment): ImageAttachment {
  return { attachmentId, nodeId, generation, mode };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HoldfastError('backend', 'The tags that Holdfast keeps with the image are damaged.', {}, error);
  }
}
