import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** `null` when rclone can be run here, else what to install. */
export function rcloneMissing(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const isThere = folders.some((folder) => folder !== '' && existsSync(join(folder, 'rclone')));
  return isThere ? null : 'rclone is not installed: apt-get install rclone';
}
