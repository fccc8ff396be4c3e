import { constants, copyFile, rm, stat, truncate } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { clearTemporaryFiles, syncFile, temporaryFile } from './durable.ts';
import { errnoOf } from './errno.ts';
import type { Layout } from './layout.ts';
import { copyWithoutHoles } from './sparse-copy.ts';

/** What file systems that cannot share blocks between files answer. */
const NO_REFLINK = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EXDEV', 'ENOTTY']);

/**
 * Copies a file into a temporary one, whose name it gives: at once where the file system can share blocks, else byte by
 * byte without the holes. With `sizeBytes` the copy is as long as that. The caller renames it to its place.
 *
 * Throws `conflict` when the source was written to meanwhile, since such a copy would be of no one moment.
 */
export async function copyToTemporary(
  layout: Layout,
  image: string,
  source: string,
  signal: AbortSignal,
  sizeBytes?: bigint,
): Promise<string> {
  await clearTemporaryFiles(layout, image);
  const temporary = temporaryFile(layout, image);
  try {
    if (!(await reflink(source, temporary))) await copyUnlessWritten(source, temporary, signal);
    if (sizeBytes !== undefined) await truncate(temporary, Number(sizeBytes));
    await syncFile(temporary);
    signal.throwIfAborted();
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Resolves to `false`, having copied nothing, where the file system cannot do this. */
async function reflink(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === null || !NO_REFLINK.has(code)) throw error;
    await rm(target, { force: true });
    return false;
  }
}

async function copyUnlessWritten(source: string, target: string, signal: AbortSignal): Promise<void> {
  const before = await stat(source, { bigint: true });
  await copyWithoutHoles(source, target, Number(before.size), signal);
  const after = await stat(source, { bigint: true });
  if (after.mtimeNs === before.mtimeNs && after.ino === before.ino && after.size === before.size) return;
  const message = `File ${source} was written to while it was copied; stop its writers first, since this file system`;
  throw new HoldfastError('conflict', `${message} cannot copy a file at one moment.`, { reason: 'written_meanwhile' });
}
