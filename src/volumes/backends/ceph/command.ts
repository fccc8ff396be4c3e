import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Verb, Verbs } from './protocol.ts';
import { CephImage } from './image.ts';
import { findInTrash } from './pool.ts';
import type { CephSession } from './session.ts';
import { type Tags, checkFence, raiseFence, readTags } from './tags.ts';

/** One verb of the port inside the child. It checks `signal` between its steps; every step may be done again. */
export type Command<V extends Verb> = (
  session: CephSession,
  args: Verbs[V]['args'],
  signal: AbortSignal,
) => Promise<Verbs[V]['result']>;

export function notFound(session: CephSession, image: string): HoldfastError {
  return new HoldfastError('not_found', `Ceph has no image ${session.pool}/${image}.`);
}

/** For verbs that need a live image: says whether it is absent or in the trash. */
export async function whyNotLive(session: CephSession, image: string): Promise<HoldfastError> {
  if ((await findInTrash(session, image)) === null) return notFound(session, image);
  return new HoldfastError('conflict', `Image ${session.pool}/${image} is in the trash; restore it first.`);
}

/** Refuses while clients have the image open: changing or removing it under them would lose their data. */
export async function refuseWatched(image: CephImage, action: string): Promise<void> {
  const watchers = (await image.watchers()).map((watcher) => watcher.address);
  if (watchers.length === 0) {
    await image.outlastPredecessors();
    return;
  }
  throw new HoldfastError('conflict', `Cannot ${action}: ${watchers.join(', ')} has the image open.`, { watchers });
}

/** Opens a live image for a change under a fence, and closes it after. Absent and trashed images throw. */
export async function changeLive<T>(
  session: CephSession,
  name: string,
  fence: number,
  change: (image: CephImage, tags: Tags) => Promise<T>,
): Promise<T> {
  const changed = await CephImage.with(session, { name }, 'rw', async (image) => {
    const tags = await readTags(image);
    checkFence(tags, fence);
    return { value: await change(image, tags) };
  });
  if (changed === null) throw await whyNotLive(session, name);
  return changed.value;
}

/** As {@link changeLive}, when nothing needs to be looked at before the fence is raised. */
export function changeLiveFenced<T>(
  session: CephSession,
  name: string,
  fence: number,
  change: (image: CephImage, tags: Tags) => Promise<T>,
): Promise<T> {
  return changeLive(session, name, fence, async (image, tags) => {
    await raiseFence(image, tags, fence);
    return await change(image, tags);
  });
}
