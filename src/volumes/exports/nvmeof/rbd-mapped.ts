import { constants, existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { attributesOf } from '../../devices/attributes.ts';
import { identityOf } from './backing.ts';
import type { Origin } from './block-device.ts';
import { parseConfigInfo } from './rbd-label.ts';

/** The kernel's own client of RBD (Documentation/ABI/testing/sysfs-bus-rbd). */
export const rbdBus = '/sys/bus/rbd';
/** These files can be written only, and are never made by that. */
const writing = { flag: constants.O_WRONLY } as const;
/** Who is told of a new device, or of a closed one, may look at it for a moment. */
const BUSY_POLL_MS = 100;
const BUSY_POLLS_MAX = 30;

/** An image that is mapped for an export of ours. */
export interface MappedImage extends Origin {
  readonly exportId: string;
  readonly identity: string;
  /** Such as `/dev/rbd0`. */
  readonly path: string;
  readonly sizeBytes: bigint;
}

/** `null` when nothing is mapped there, or for somebody else. */
export async function readMapped(path: string, signal: AbortSignal, bus = rbdBus): Promise<MappedImage | null> {
  const id = /^\/dev\/rbd(?<id>\d{1,7})$/.exec(path)?.groups?.['id'];
  if (id === undefined) return null;
  const { text } = attributesOf(join(bus, 'devices', id), signal);
  const label = parseConfigInfo((await text('config_info')) ?? '');
  if (label === null) return null;
  const { exportId, ...account } = label;
  const names = ['pool', 'name', 'cluster_fsid', 'pool_id', 'image_id', 'size'] as const;
  const [pool, image, cluster, poolId, imageId, size] = await Promise.all(names.map(text));
  if (pool == null || image == null || size == null) return null;
  const identity = identityOf(`rbd ${cluster}:${poolId}:${imageId}`);
  return { exportId, path, source: { kind: 'rbd', ...account, pool, image }, identity, sizeBytes: BigInt(size) };
}

/** Every image that is mapped for an export of ours, served or not. */
export async function listMapped(signal: AbortSignal, bus = rbdBus): Promise<MappedImage[]> {
  const ids = await readdir(join(bus, 'devices')).catch(() => []);
  const found: MappedImage[] = [];
  for (const id of ids) {
    const mapped = await readMapped(`/dev/rbd${id}`, signal, bus);
    if (mapped !== null) found.push(mapped);
  }
  if (signal.aborted) throw new HoldfastError('unavailable', 'The mapped images were not read in time.');
  return found;
}

/**
 * Gives an image back. Its watch in the cluster is gone when this resolves.
 *
 * @throws HoldfastError `backend`
 */
export async function unmap({ path }: MappedImage, signal: AbortSignal): Promise<void> {
  const id = path.replace('/dev/rbd', '');
  for (let poll = 1; ; poll++) {
    try {
      return await remove(id);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || poll === BUSY_POLLS_MAX || signal.aborted) {
        throw new HoldfastError('backend', `The image at ${path} cannot be unmapped: ${code}.`, { code }, error);
      }
    }
    await delay(BUSY_POLL_MS);
  }
}

/** There are one or two of these files, by a parameter of the module; where there are two, the first counts. */
async function remove(id: string): Promise<void> {
  const files = ['remove_single_major', 'remove'].map((name) => join(rbdBus, name));
  await writeFile(files.find(existsSync) ?? '', id, writing);
}

/**
 * Has the kernel ask the cluster for the size that the image has now.
 *
 * @throws HoldfastError `backend`
 */
export async function refresh(path: string): Promise<void> {
  const file = join(rbdBus, 'devices', path.replace('/dev/rbd', ''), 'refresh');
  await writeFile(file, '1', writing).catch((error: NodeJS.ErrnoException) => {
    throw new HoldfastError(
      'backend',
      `The size of the image at ${path} cannot be read anew: ${error.code}.`,
      {},
      error,
    );
  });
}
