import { stat } from 'node:fs/promises';

/**
 * The `major:minor` to which a path leads, such as that of `/dev/mapper/NAME`; `null` when it is absent or no block device. A
 * name in `/dev` is a file like any other: only its number says which device is opened by it.
 */
export async function numberAt(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  if (found === null || !found.isBlockDevice()) return null;
  // Linux's encoding of 32 bits of major and minor each in a dev_t (gnu_dev_major and gnu_dev_minor of the C library).
  const { rdev } = found;
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n);
  return `${major}:${minor}`;
}
