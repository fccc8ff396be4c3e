import { readdir, stat } from 'node:fs/promises';
import type { ExportSource } from '../target.ts';

/** The files that a process has open, as `device:inode`; `null` where the kernel does not tell (proc(5)). */
export async function openFilesOf(pid: number): Promise<ReadonlySet<string> | null> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => null);
  if (descriptors === null) return null;
  const identities = await Promise.all(descriptors.map((descriptor) => identityOf(`${folder}/${descriptor}`)));
  return new Set(identities.filter((identity) => identity !== null));
}

/**
 * Whether the file that now stands at the source's path is another than the open one: it was replaced or deleted under the
 * export, which still serves the old bytes.
 */
export async function isReplaced(source: ExportSource, openFiles: ReadonlySet<string> | null): Promise<boolean> {
  if (source.kind !== 'file' || openFiles === null) return false;
  const identity = await identityOf(source.path);
  return identity === null || !openFiles.has(identity);
}

/** Follows links, those of proc(5) to what is open included. */
async function identityOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}
