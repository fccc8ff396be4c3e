import { type Command, notFound, refuseWatched } from './command.ts';
import { EEXIST, ENOENT, check, checkExcept } from './errno.ts';
import { CephImage, type LinkedImage } from './image.ts';
import { findInTrash, readLiveFacts } from './pool.ts';
import { type CephSession, type ImageRef, filled } from './session.ts';
import type { Out, Pointer } from './signatures.ts';
import { type CloneRef, checkFence, raiseFence, readFlattening, readTags, writeFlattening } from './tags.ts';

/** How often the snapshots and clones are looked at again, since Ceph drops hidden snapshots after their last clone. */
const CLEAR_ROUNDS = 3;

export const trash: Command<'trash'> = async (session, { fence, image: name }) => {
  const prepared = await CephImage.with(session, { name }, 'rw', async (image) => {
    const tags = await readTags(image);
    checkFence(tags, fence);
    await refuseWatched(image, `move ${name} to the trash`);
    await raiseFence(image, tags, fence);
    return true;
  });
  if (prepared === null) {
    const entry = await findInTrash(session, name);
    if (entry !== null) await changeFence(session, { id: entry.id }, fence);
    return null;
  }
  // No delay: how long it stays there is decided by Holdfast, not by the cluster.
  const code = await session.lib.rbd.rbd_trash_move(session.io, name, 0);
  checkExcept(code, [ENOENT], `moving ${session.pool}/${name} to the trash`);
  return null;
};

export const restore: Command<'restore'> = async (session, { fence, image: name }) => {
  const live = await changeFence(session, { name }, fence);
  if (!live) {
    const entry = await findInTrash(session, name);
    if (entry === null) throw notFound(session, name);
    await changeFence(session, { id: entry.id }, fence);
    const code = await session.lib.rbd.rbd_trash_restore(session.io, entry.id, name);
    checkExcept(code, [EEXIST], `restoring ${session.pool}/${name}`);
  }
  const facts = await readLiveFacts(session, name);
  if (facts === null) throw notFound(session, name);
  return facts;
};

export const purge: Command<'purge'> = async (session, { fence, image: name }, signal) => {
  const action = `removing ${session.pool}/${name}`;
  if (await clear(session, { name }, fence, signal)) {
    checkExcept(await session.lib.rbd.rbd_remove(session.io, name), [ENOENT], action);
    return null;
  }
  const entry = await findInTrash(session, name);
  if (entry !== null) {
    await clear(session, { id: entry.id }, fence, signal);
    checkExcept(await session.lib.rbd.rbd_trash_remove(session.io, entry.id, true), [ENOENT], action);
    return null;
  }
  // A create or removal that was killed between its steps leaves a name without an image; this removes it.
  checkExcept(await session.lib.rbd.rbd_remove(session.io, name), [ENOENT], action);
  return null;
};

async function changeFence(session: CephSession, ref: ImageRef, fence: number): Promise<boolean> {
  const found = await CephImage.with(session, ref, 'rw', async (image) => {
    await raiseFence(image, await readTags(image), fence);
    return true;
  });
  return found !== null;
}

/** Takes away what keeps an image from being removed: its clones' need of it, then its snapshots. */
async function clear(session: CephSession, ref: ImageRef, fence: number, signal: AbortSignal): Promise<boolean> {
  const found = await CephImage.with(session, ref, 'rw', async (image) => {
    const tags = await readTags(image);
    checkFence(tags, fence);
    await refuseWatched(image, 'remove the image');
    await raiseFence(image, tags, fence);
    for (let round = 0; round < CLEAR_ROUNDS; round++) {
      await flattenClones(image, session, signal);
      const snapshots = await image.snapshots();
      if (snapshots.length === 0) break;
      for (const snapshot of snapshots) {
        if (snapshot.ofUser) await image.removeSnapshot(snapshot.name);
        else await image.removeHiddenSnapshot(snapshot);
      }
    }
    return true;
  });
  return found !== null;
}

/** Makes all clones independent, those included whose flattening was cut off before. */
async function flattenClones(image: CephImage, session: CephSession, signal: AbortSignal): Promise<void> {
  const begun = await readFlattening(image);
  const listed = (await image.children()).map(cloneRef);
  const fresh = listed.filter((clone) => !begun.some((each) => each.id === clone.id && each.poolId === clone.poolId));
  if (begun.length + fresh.length === 0) return;
  const clones = [...begun, ...fresh];
  if (fresh.length > 0) await writeFlattening(image, clones);
  const parentId = await image.id();
  for (const clone of clones) {
    signal.throwIfAborted();
    await flattenClone(session, clone, parentId);
  }
}

function cloneRef(clone: LinkedImage): CloneRef {
  return { poolId: String(clone.poolId), namespace: clone.namespace, id: clone.id };
}

/** Gives a clone its own copy of the data that it shares. The clone may be in another pool, or in the trash. */
async function flattenClone(session: CephSession, clone: CloneRef, parentId: string): Promise<void> {
  const { rados } = session.lib;
  const out: Out<Pointer> = [null];
  const action = `opening the pool of clone ${clone.id}`;
  check(await rados.rados_ioctx_create2(session.cluster, BigInt(clone.poolId), out), action);
  const io = filled(out, action);
  const flatten = async (image: CephImage): Promise<void> => {
    if ((await image.parent())?.image.id === parentId) await image.flatten();
  };
  try {
    await rados.rados_ioctx_set_namespace(io, clone.namespace);
    // By id, since the name of a clone may change, and in the trash is not unique.
    await CephImage.with(session, { id: clone.id }, 'rw', flatten, io);
  } finally {
    await rados.rados_ioctx_destroy(io);
  }
}
