import { execFile, spawnSync } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const umount = 'umount';
const grownBytes = 1024 ** 3;

export type DiskMode = 'none' | 'full' | 'read-only';

/** A small file system of the test's own, in memory, that can be full or read-only. */
export interface SmallDisk {
  readonly directory: string;
  readonly sizeBytes: number;
  /** Makes it as large as all that a storm leaves. */
  grow(): Promise<void>;
  /** A disk that is written to at that moment stays writable. */
  set(mode: DiskMode): Promise<void>;
  unmount(): Promise<void>;
}

/** Mounts one; `null` where this process may not. */
export async function mountSmallDisk(directory: string, sizeBytes: number): Promise<SmallDisk | null> {
  await mkdir(directory, { recursive: true });
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'holdfast-chaos', directory]).then(
    () => true,
    () => false,
  );
  if (!mounted) return null;
  // Nothing outlives a test that is ended.
  const onExit = () => void spawnSync(umount, ['--lazy', directory]);
  process.on('exit', onExit);
  const unmount = async () => {
    process.off('exit', onExit);
    await run(umount, ['--lazy', directory]).catch(() => undefined);
  };
  const filler = join(directory, 'filler');
  return {
    directory,
    sizeBytes,
    unmount,
    grow: async () => void (await run('mount', ['-o', `remount,size=${grownBytes}`, directory])),
    async set(mode) {
      const way = mode === 'read-only' ? 'ro' : 'rw';
      await run('mount', ['-o', `remount,${way}`, directory]).catch(() => undefined);
      if (mode === 'read-only') return;
      await rm(filler, { force: true });
      if (mode === 'full') await fill(directory, filler);
    },
  };
}

/** Takes all the room that is left, but for what others take meanwhile. */
async function fill(directory: string, filler: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - bsize))).catch(() => undefined);
}
