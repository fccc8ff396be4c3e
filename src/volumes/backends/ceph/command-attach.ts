import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ImageAttachment } from '../backend.ts';
import { type Command, changeLive, refuseWatched } from './command.ts';
import { check, hasErrno } from './errno.ts';
import { CephImage } from './image.ts';
import { factsOf } from './pool.ts';
import type { CephSession } from './session.ts';
import { checkFence, readTags, writeTags } from './tags.ts';

/**
 * How long a fenced client stays cut off: five years, as Ceph's own storage drivers do. The address carries a nonce of
 * that one client instance, so a node that comes back opens its images under a new address. A short time would be
 * wrong: a client that was only frozen would go on to write when the entry expires.
 */
const BLOCK_SECONDS = 157_784_760;
const POLL_MS = 100;
const MAX_POLLS = 600;
const MAX_FENCE_ROUNDS = 5;

export const attach: Command<'attach'> = (session, { fence, image: name, attachment }) =>
  changeLive(session, name, fence, async (image, tags) => {
    if (tags.attachment === null) {
      await refuseWatched(image, `attach ${name}`);
    } else if (!isSame(tags.attachment, attachment)) {
      throw attachedElsewhere(name, tags.attachment);
    }
    return await factsOf(session, image, name, 'live', await writeTags(image, tags, { fence, attachment }));
  });

export const detach: Command<'detach'> = async (session, { fence, image: name, attachment }, signal) => {
  // Opened for reading alone, since who opens it for writing is a watcher too; the tags are changed by the OSD.
  await CephImage.with(session, { name }, 'ro', async (image) => {
    const tags = await readTags(image);
    checkFence(tags, fence);
    if (tags.attachment !== null) {
      const { attachmentId, generation } = tags.attachment;
      if (attachmentId !== attachment.attachmentId || generation !== attachment.generation) {
        throw attachedElsewhere(name, tags.attachment);
      }
      if (attachment.force) await fenceWatchers(session, name, attachment.clients ?? [], signal);
      else await refuseWatched(image, `detach ${name}`);
    }
    try {
      // From the reading that was judged, so that an attachment which has come since stays.
      await writeTags(image, tags, { fence, attachment: null });
    } catch (error) {
      // Removed meanwhile: nothing is attached any more.
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  });
  return null;
};

export const fence: Command<'fence'> = async (session, { fence: fenceNumber, image: name, clients }, signal) => {
  await CephImage.with(session, { name }, 'ro', async (image) => checkFence(await readTags(image), fenceNumber));
  const others = clients.filter((address) => address !== session.address);
  for (const address of others) await block(session, name, address);
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    const watchers = await watchersOf(session, name);
    if (!watchers.some((address) => others.includes(address))) return null;
    await delay(POLL_MS, undefined, { signal });
  }
  throw stillCounted(name, others);
};

async function block(session: CephSession, name: string, address: string): Promise<void> {
  const code = await session.lib.rados.rados_blocklist_add(session.cluster, address, BLOCK_SECONDS);
  check(code, `fencing ${address}, which has ${name} open`);
}

/**
 * Puts every watcher on the blocklist and waits until none is left; a newly come watcher is fenced too, and so are clients
 * known from before: one that was frozen loses its watch after half a minute, and would write on when it wakes up.
 */
async function fenceWatchers(
  session: CephSession,
  name: string,
  clients: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const fenced = new Set<string>();
  const others = clients.filter((address) => address !== session.address);
  for (let round = 0; round < MAX_FENCE_ROUNDS; round++) {
    const seen = await watchersOf(session, name);
    const fresh = new Set([...seen, ...(round === 0 ? others : [])].filter((address) => !fenced.has(address)));
    for (const address of fresh) {
      await block(session, name, address);
      fenced.add(address);
    }
    if (await waitUntilGone(session, name, fenced, signal)) return;
  }
  throw new HoldfastError('conflict', `New clients keep opening ${name}; stop them before forcing the detach.`);
}

/** `true` when no watcher is left; `false` when one that is not fenced has come. */
async function waitUntilGone(
  session: CephSession,
  name: string,
  fenced: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<boolean> {
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    const watchers = await watchersOf(session, name);
    if (watchers.length === 0) return true;
    if (watchers.some((address) => !fenced.has(address))) return false;
    await delay(POLL_MS, undefined, { signal });
  }
  throw stillCounted(name, [...fenced]);
}

function stillCounted(name: string, watchers: readonly string[]): HoldfastError {
  const message = `Clients of ${name} are on the blocklist but Ceph still counts them as watchers.`;
  return new HoldfastError('unavailable', message, { watchers });
}

async function watchersOf(session: CephSession, name: string): Promise<readonly string[]> {
  const watchers = await CephImage.with(session, { name }, 'ro', (image) => image.watchers());
  return (watchers ?? []).map((watcher) => watcher.address);
}

function isSame(a: ImageAttachment, b: ImageAttachment): boolean {
  return (
    a.attachmentId === b.attachmentId && a.nodeId === b.nodeId && a.generation === b.generation && a.mode === b.mode
  );
}

function attachedElsewhere(image: string, attachment: ImageAttachment): HoldfastError {
  const { attachmentId, nodeId, generation } = attachment;
  const message = `Image ${image} is attached to ${nodeId} (attachment ${attachmentId}, generation ${generation}).`;
  return new HoldfastError('conflict', message, { attachment });
}
