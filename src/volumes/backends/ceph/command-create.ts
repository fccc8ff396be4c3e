import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CreateImage, ImageFacts } from '../backend.ts';
import { type Command, changeLive } from './command.ts';
import { EEXIST, ENOENT, check, checkExcept } from './errno.ts';
import { idOfName, setMetadataIf } from './header.ts';
import { CephImage } from './image.ts';
import type { ImageOptions } from './librbd.ts';
import { factsFrom, factsOf, findInTrash } from './pool.ts';
import { qosMetadata, writeQos } from './qos.ts';
import type { CephSession } from './session.ts';
import { TAGS_KEY, checkFence, readTags, storedTags, writeTags } from './tags.ts';

/** The object map of an image has at most this many entries (`MAX_OBJECT_MAP_OBJECT_COUNT` of Ceph). */
const OBJECT_MAP_MAX_OBJECTS = 256_000_000n;
/** Removing an image visits each possible object, so above this many (16 TiB of 4 MiB) the objects become larger. */
const COMFORTABLE_OBJECTS = 4_194_304n;
/** Objects have `2 ** order` bytes; 22 is Ceph's default, 25 the largest that librbd takes. */
const DEFAULT_ORDER = 22n;
const MAX_ORDER = 25n;
const CLONE_FORMAT = 2n;
const MAKE_TRIES = 3;
const UNWATCHED_POLL_MS = 200;
const UNWATCHED_MAX_POLLS = 200;
const OWN_NAME = /^vol-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Source {
  readonly image: string;
  readonly snapshot: string;
  readonly imageId: string;
  readonly sizeBytes: bigint;
}

export const create: Command<'create'> = async (session, { fence, params }, signal) => {
  const finished = await finishOurs(session, fence, params, signal);
  if (finished !== null) return finished;
  const source = params.source === undefined ? null : await readSource(session, params.source, params.sizeBytes);
  await refuseOwnInTrash(session, params);
  for (let attempt = 0; attempt < MAKE_TRIES; attempt++) {
    signal.throwIfAborted();
    const isNew = await make(session, params, source);
    if (isNew && source === null) {
      const made = await tagEmpty(session, fence, params);
      if (made !== null) return made;
    }
    const facts = await CephImage.with(session, { name: params.image }, 'rw', (image) =>
      settle(session, image, { fence, params, source, isNew, signal }),
    );
    if (facts !== null && facts !== 'redo') return facts;
    // The name is taken by an image that cannot be opened, or by a clone without its parent: both are what a create
    // leaves when it is killed between its steps. Under a name of ours nobody else can have made that.
    if (!isOwnName(params)) break;
    const code = await session.lib.rbd.rbd_remove(session.io, params.image);
    checkExcept(code, [ENOENT], `removing the remains of ${session.pool}/${params.image}`);
  }
  throw new HoldfastError('backend', `Image ${session.pool}/${params.image} exists but cannot be opened.`);
};

/** Takes over an image that Holdfast did not make. */
export const adopt: Command<'adopt'> = (session, { fence, image: name, tag }) =>
  changeLive(session, name, fence, async (image, tags) => {
    if (tags.volumeId !== null && tags.volumeId !== tag.volumeId) throw taken(session, name, tags.volumeId);
    const owner = tags.volumeId === null || !tags.complete ? { ...tag, complete: true } : {};
    return await factsOf(session, image, name, 'live', await writeTags(image, tags, { ...owner, fence }));
  });

/**
 * Tags an image that this very call has made, with nothing in it: what there is to know of it is known, so it is not
 * opened. Tags and limits are set together, so it is complete from then on; before, it is an untagged image such as
 * {@link judgeUntagged} takes over.
 *
 * @returns `null` when somebody else has tagged or removed it meanwhile, as a repeated create in another process may
 */
async function tagEmpty(session: CephSession, fence: number, params: CreateImage): Promise<ImageFacts | null> {
  const imageId = await idOfName(session, params.image);
  if (imageId === null) return null;
  const { volumeId, name, sizeBytes, qos = {} } = params;
  const tags = { volumeId, name, fence, complete: true, attachment: null };
  const values = new Map([...qosMetadata(qos), [TAGS_KEY, storedTags(imageId, tags)]]);
  const outcome = await setMetadataIf(session, session.io, imageId, { key: TAGS_KEY, value: null }, values);
  return outcome === 'set' ? factsFrom(session, params.image, { tags, sizeBytes, place: 'live', watchers: [] }) : null;
}

/**
 * A repeated clone is judged by its tag before its source is looked at: the source may be gone by now, while the clone
 * stands complete.
 */
async function finishOurs(
  session: CephSession,
  fence: number,
  params: CreateImage,
  signal: AbortSignal,
): Promise<ImageFacts | null> {
  if (params.source === undefined) return null;
  const facts = await CephImage.with(session, { name: params.image }, 'rw', async (image) => {
    if ((await readTags(image)).volumeId !== params.volumeId) return null;
    return await settle(session, image, { fence, params, source: null, isNew: false, signal });
  });
  return facts === 'redo' ? null : facts;
}

interface Settling {
  readonly fence: number;
  readonly params: CreateImage;
  readonly source: Source | null;
  /** Whether this very call has made the image. */
  readonly isNew: boolean;
  readonly signal: AbortSignal;
}

/** Brings the open image, new or found, to what was asked for. `redo`: it must be removed and made again. */
async function settle(session: CephSession, image: CephImage, work: Settling): Promise<ImageFacts | 'redo'> {
  const { params, fence, signal } = work;
  const tags = await readTags(image);
  checkFence(tags, fence);
  const sizeBytes = await image.sizeBytes();
  if (tags.volumeId === null && !work.isNew) {
    const judgement = await judgeUntagged(session, image, work, sizeBytes);
    if (judgement === 'redo') return 'redo';
  } else if (tags.volumeId !== null && tags.volumeId !== params.volumeId) {
    throw taken(session, params.image, tags.volumeId);
  }
  if (sizeBytes > params.sizeBytes) throw tooLarge(session, params, sizeBytes);
  const owner = { volumeId: params.volumeId, name: params.name, complete: false };
  let current = await writeTags(image, tags, tags.volumeId === null ? { ...owner, fence } : { fence });
  signal.throwIfAborted();
  if (sizeBytes < params.sizeBytes) await image.grow(params.sizeBytes);
  if (!current.complete) {
    // A clone inherits the limits of its parent, so they are set even when none are wanted.
    await writeQos(image, params.qos ?? {});
    current = await writeTags(image, current, { complete: true });
  }
  return await factsOf(session, image, params.image, 'live', current);
}

/**
 * An untagged image under our name. It is our own create, cut off before the tag, only if everything fits: the name is
 * the volume's id (which nobody else knows before it exists), the size is the one that create gives it, and it has
 * neither snapshots nor clients. Whatever else it is belongs to somebody.
 */
async function judgeUntagged(
  session: CephSession,
  image: CephImage,
  { params, source, signal }: Settling,
  sizeBytes: bigint,
): Promise<'ours' | 'redo'> {
  const expectedBytes = source?.sizeBytes ?? params.sizeBytes;
  const hasSnapshots = (await image.snapshots()).length > 0;
  if (!isOwnName(params) || sizeBytes !== expectedBytes || hasSnapshots) throw taken(session, params.image, null);
  await waitUntilUnwatched(image, params.image, signal);
  if (source === null) return 'ours';
  const parent = await image.parent();
  const isClone = parent?.image.id === source.imageId && parent.snapshot === source.snapshot;
  return isClone ? 'ours' : 'redo';
}

/**
 * Whoever has an image open that is ours and unfinished is most likely a server that was killed with its child, which
 * Ceph still counts as a watcher for some 30 s. So this waits, and says `unavailable`, which may be tried again.
 */
async function waitUntilUnwatched(image: CephImage, name: string, signal: AbortSignal): Promise<void> {
  let watchers = await image.watchers();
  for (let poll = 0; poll < UNWATCHED_MAX_POLLS && watchers.length > 0; poll++) {
    await delay(UNWATCHED_POLL_MS, undefined, { signal });
    watchers = await image.watchers();
  }
  if (watchers.length === 0) return await image.outlastPredecessors();
  const addresses = watchers.map((watcher) => watcher.address).join(', ');
  throw new HoldfastError('unavailable', `The unfinished image ${name} is still open at ${addresses}.`);
}

function isOwnName(params: CreateImage): boolean {
  return params.image === params.volumeId && OWN_NAME.test(params.image);
}

/** Resolves to whether the image was made now; `false` when the name was taken. */
async function make(session: CephSession, params: CreateImage, source: Source | null): Promise<boolean> {
  const { lib, io, pool } = session;
  const options: ImageOptions = source === null ? layoutFor(params.sizeBytes) : { cloneFormat: CLONE_FORMAT };
  const code = await lib.withImageOptions(options, (pointer) =>
    source === null
      ? lib.rbd.rbd_create4(io, params.image, params.sizeBytes, pointer)
      : lib.rbd.rbd_clone3(io, source.image, source.snapshot, io, params.image, pointer),
  );
  if (code === -EEXIST) return false;
  check(code, `creating image ${pool}/${params.image} of ${params.sizeBytes} bytes`);
  return true;
}

/**
 * The layout for an image of this size.
 *
 * @throws HoldfastError `invalid` above 8,589,934,592,000,000 bytes: such an image could only be made without an object
 * map, and its removal would then ask the cluster for each of its hundreds of millions of objects.
 */
export function layoutFor(sizeBytes: bigint): ImageOptions {
  const maxBytes = OBJECT_MAP_MAX_OBJECTS << MAX_ORDER;
  if (sizeBytes > maxBytes) {
    throw new HoldfastError('invalid', `A Ceph image has at most ${maxBytes} bytes; ${sizeBytes} were asked for.`);
  }
  let order = DEFAULT_ORDER;
  while (order < MAX_ORDER && sizeBytes > COMFORTABLE_OBJECTS << order) order++;
  return order === DEFAULT_ORDER ? {} : { order };
}

async function readSource(
  session: CephSession,
  { image: name, snapshot: snapshotName }: { readonly image: string; readonly snapshot: string },
  sizeBytes: bigint,
): Promise<Source> {
  const found = await CephImage.with(session, { name }, 'ro', async (image) => {
    const snapshot = (await image.snapshots()).find((each) => each.ofUser && each.name === snapshotName);
    return { imageId: await image.id(), snapshot };
  });
  const snapshot = found?.snapshot;
  if (found === null || snapshot === undefined) {
    throw new HoldfastError('not_found', `Ceph has no snapshot ${session.pool}/${name}@${snapshotName}.`);
  }
  if (snapshot.sizeBytes > sizeBytes) {
    const message = `A clone of ${name}@${snapshotName} needs at least ${snapshot.sizeBytes} bytes, not ${sizeBytes}.`;
    throw new HoldfastError('invalid', message);
  }
  return { image: name, snapshot: snapshotName, imageId: found.imageId, sizeBytes: snapshot.sizeBytes };
}

/** A volume that is in the trash must not come to be twice. */
async function refuseOwnInTrash(session: CephSession, params: CreateImage): Promise<void> {
  const entry = await findInTrash(session, params.image);
  if (entry === null) return;
  const tags = await CephImage.with(session, { id: entry.id }, 'ro', readTags);
  if (tags?.volumeId !== params.volumeId) return;
  throw new HoldfastError('conflict', `Image ${session.pool}/${params.image} is in the trash; restore it instead.`);
}

function taken(session: CephSession, image: string, owner: string | null): HoldfastError {
  const whose = owner === null ? 'an image that Holdfast did not make' : `volume ${owner}`;
  return new HoldfastError('conflict', `The name ${session.pool}/${image} is taken by ${whose}.`, { volumeId: owner });
}

function tooLarge(session: CephSession, params: CreateImage, sizeBytes: bigint): HoldfastError {
  const message = `Image ${session.pool}/${params.image} has ${sizeBytes} bytes already, more than ${params.sizeBytes}.`;
  return new HoldfastError('conflict', message);
}
