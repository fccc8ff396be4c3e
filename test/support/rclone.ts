import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** `null` when rclone can be run here, else what to install. */
export function rcloneMissing(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const isThere = folders.some((folder) => folder !== '' && existsSync(join(folder, 'rclone')));
  return isThere ? null : 'rclone is not installed: apt-get install rclone';
}

export interface RcloneProcess {
  readonly pid: number;
  /** With its arguments. */
  readonly command: string;
}

/** The rclone processes (not their wrapping shells) that have this text in their arguments (Linux). */
export async function rcloneProcesses(text: string): Promise<RcloneProcess[]> {
  const found: RcloneProcess[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const args = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const isServer = args[0]?.endsWith('/rclone') === true && args[1] === 'serve';
    if (isServer && args.some((each) => each.includes(text)))
      found.push({ pid: Number(entry), command: args.join(' ') });
  }
  return found;
}
