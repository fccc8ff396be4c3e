import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { type Command, changeLive, changeLiveFenced, refuseWatched } from './command.ts';
import { hasErrno } from './errno.ts';
import { CephImage, type Snapshot } from './image.ts';
import { factsOf, findInTrash } from './pool.ts';
import { writeQos } from './qos.ts';
import type { ImageRef } from './session.ts';
import { raiseFence, readTags } from './tags.ts';

export const resize: Command<'resize'> = (session, { fence, image: name, sizeBytes }) =>
  changeLive(session, name, fence, async (image, tags) => {
    const currentBytes = await image.sizeBytes();
    if (sizeBytes < currentBytes) {
      const message = `Image ${session.pool}/${name} has ${currentBytes} bytes and is never shrunk to ${sizeBytes}.`;
      throw new HoldfastError('invalid', message);
    }
    await raiseFence(image, tags, fence);
    if (sizeBytes > currentBytes) await image.grow(sizeBytes);
    return await factsOf(session, image, name, 'live');
  });

export const setQos: Command<'setQos'> = (session, { fence, image: name, qos }) =>
  changeLiveFenced(session, name, fence, async (image) => {
    await writeQos(image, qos);
    return null;
  });

export const createSnapshot: Command<'createSnapshot'> = (session, { fence, image: name, snapshot }) =>
  changeLiveFenced(session, name, fence, async (image) => {
    if ((await findSnapshot(image, snapshot)) === null) await createUnlessThere(image, snapshot);
    const made = await findSnapshot(image, snapshot);
    if (made === null) throw noSnapshot(name, snapshot);
    return { snapshot, sizeBytes: made.sizeBytes };
  });

export const deleteSnapshot: Command<'deleteSnapshot'> = async (session, { fence, image: name, snapshot }) => {
  const remove = (ref: ImageRef) =>
    CephImage.with(session, ref, 'rw', async (image) => {
      await raiseFence(image, await readTags(image), fence);
      // Ceph would also take the name of one of its own hidden snapshots, which are not ours to remove.
      if ((await findSnapshot(image, snapshot)) !== null) await image.removeSnapshot(snapshot);
      return true;
    });
  if ((await remove({ name })) !== null) return null;
  const entry = await findInTrash(session, name);
  if (entry !== null) await remove({ id: entry.id });
  return null;
};

export const revert: Command<'revert'> = (session, { fence, image: name, snapshot }) =>
  changeLive(session, name, fence, async (image, tags) => {
    if ((await findSnapshot(image, snapshot)) === null) throw noSnapshot(name, snapshot);
    await refuseWatched(image, `revert ${name}`);
    await raiseFence(image, tags, fence);
    await image.rollback(snapshot);
    return await factsOf(session, image, name, 'live');
  });

async function findSnapshot(image: CephImage, name: string): Promise<Snapshot | null> {
  return (await image.snapshots()).find((each) => each.ofUser && each.name === name) ?? null;
}

/** Another process may make the same snapshot between our look and our call. */
async function createUnlessThere(image: CephImage, snapshot: string): Promise<void> {
  try {
    await image.createSnapshot(snapshot);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

function noSnapshot(image: string, snapshot: string): HoldfastError {
  return new HoldfastError('not_found', `Image ${image} has no snapshot ${snapshot}.`);
}
