import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** An attribute of the kernel's, without the white space around it; `null` when it is not there. */
export async function attribute(...path: readonly string[]): Promise<string | null> {
  const text = await readFile(join(...path), 'utf8').catch(() => null);
  return text === null ? null : text.replaceAll('\0', '').trim();
}

/** The entries of a folder; none when it is not there. */
export async function entries(...path: readonly string[]): Promise<string[]> {
  return readdir(join(...path)).catch(() => []);
}
