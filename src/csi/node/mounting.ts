import { mkdir, open, rmdir, unlink, lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { mountAt } from './mounts.ts';
import type { NodeSystem } from './system.ts';

const mountTimeoutMs = 60_000;
/** How many mounts may lie on one another at a path. */
const stackedMax = 16;

export interface FilesystemMount {
  readonly device: string;
  readonly path: string;
  readonly filesystem: string;
  readonly flags: readonly string[];
  readonly isReadOnly: boolean;
}

export async function mountFilesystem(system: NodeSystem, mount: FilesystemMount): Promise<void> {
  const { device, path, filesystem, flags, isReadOnly } = mount;
  await mkdir(path, { recursive: true });
  // A clone has the UUID of what it was cloned from, which XFS refuses to mount twice.
  const own = filesystem === 'xfs' ? ['nouuid'] : [];
  const options = [isReadOnly ? 'ro' : 'rw', ...own, ...flags].join(',');
  await runMount(system, ['-t', filesystem, '-o', options, device, path]);
}

/** Shows what is at `source` at `path` as well. A device node is shown at a file, a folder at a folder. */
export async function bindMount(
  system: NodeSystem,
  source: string,
  path: string,
  { isFile, isReadOnly }: { readonly isFile: boolean; readonly isReadOnly: boolean },
): Promise<void> {
  await mkdir(isFile ? dirname(path) : path, { recursive: true });
  if (isFile) await (await open(path, 'a', 0o600)).close();
  await runMount(system, ['--bind', source, path]);
  // The kernel takes `ro` of a bind only in a second step; without it the target would stay writable in silence.
  if (!isReadOnly) return;
  try {
    await runMount(system, ['-o', 'remount,bind,ro', path]);
  } catch (error) {
    await unmountAll(system, path);
    throw error;
  }
}

async function runMount(system: NodeSystem, args: readonly string[]): Promise<void> {
  const { code, stderr } = await system.run('mount', args, mountTimeoutMs);
  if (code !== 0) throw new HoldfastError('backend', `mount failed: ${stderr.trim().slice(-500)}`);
}

/** Takes away whatever is mounted at a path. Nothing is success; what is in use is `conflict`. */
export async function unmountAll(system: NodeSystem, path: string): Promise<void> {
  for (let taken = 0; taken < stackedMax; taken++) {
    if ((await mountAt(await system.mounts(), path)) === null) return;
    const { code, stderr } = await system.run('umount', [path], mountTimeoutMs);
    if (code === 0) continue;
    const isBusy = /busy/.test(stderr);
    throw new HoldfastError(isBusy ? 'conflict' : 'backend', `umount failed: ${stderr.trim().slice(-500)}`);
  }
  throw new HoldfastError('conflict', `Too much is mounted at ${path}.`);
}

/** Removes the folder or file that was made to mount at. One with content is somebody's and stays. */
export async function removeTarget(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (found.isDirectory()) return rmdir(path);
  if (found.isFile() && found.size === 0) return unlink(path);
  throw new HoldfastError('conflict', `${path} has content of its own and was not removed.`);
}
