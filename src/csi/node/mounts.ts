import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** One line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)). */
export interface Mount {
  /** Of the filesystem: `major:minor`. */
  readonly device: string;
  /** Which part of the filesystem is mounted; for a bound device node, the node. */
  readonly root: string;
  readonly target: string;
  /** Of this mount, such as `ro`. */
  readonly options: readonly string[];
  readonly filesystem: string;
  readonly source: string;
  /** Of the filesystem itself: `ro` here is for all its mounts. */
  readonly superOptions: readonly string[];
}

/** Parses mountinfo. Lines of another form are left out. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [own = '', shared = ''] = line.split(' - ');
    const [, , device, root, target, options] = own.split(' ');
    const [filesystem, source, superOptions] = shared.split(' ');
    if (device === undefined || root === undefined || target === undefined || options === undefined) return [];
    if (filesystem === undefined || source === undefined || superOptions === undefined) return [];
    return {
      device,
      root: unescaped(root),
      target: unescaped(target),
      options: options.split(','),
      filesystem,
      source: unescaped(source),
      superOptions: superOptions.split(','),
    };
  });
}

/** White space and backslashes are written as octal numbers. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** What is seen at a path: the last that was mounted there. `null` when nothing is. */
export async function mountAt(mounts: readonly Mount[], path: string): Promise<Mount | null> {
  const target = await resolved(path);
  return mounts.findLast((mount) => mount.target === target) ?? null;
}

/** A path as the kernel writes it. What is mounted there is never opened, since it may hang. */
async function resolved(path: string): Promise<string> {
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return join(folder, basename(path));
}
