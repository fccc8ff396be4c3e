import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Layout } from './layout.ts';
import { unlessAbsent } from './errno.ts';

/** Makes what was created, renamed or removed in a directory outlast a loss of power. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the content and length of a file outlast a loss of power. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename that outlasts a loss of power. Resolves to `false` when there is no such file. */
export async function renameDurably(from: string, to: string): Promise<boolean> {
  const isDone = await unlessAbsent(
    rename(from, to).then(() => true),
    false,
  );
  if (!isDone) return false;
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
  return true;
}

/** Absent is success. */
export async function unlinkDurably(file: string): Promise<void> {
  const isDone = await unlessAbsent(
    unlink(file).then(() => true),
    false,
  );
  if (isDone) await syncDirectory(dirname(file));
}

/** Replaces a file's text as a whole: a reader, or a crash, sees the old text or the new one. */
export async function writeTextDurably(layout: Layout, image: string, file: string, text: string): Promise<void> {
  const temporary = temporaryFile(layout, image);
  const handle = await open(temporary, 'wx');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await renameDurably(temporary, file);
}

/** A name for a file in the making, that no other call uses. A `~` is in no image's name. */
export function temporaryFile(layout: Layout, image: string): string {
  return join(layout.temporaryDirectory, `${image}~${randomUUID()}`);
}

/** Removes what a killed call on this image has left half-written. */
export async function clearTemporaryFiles(layout: Layout, image: string): Promise<void> {
  for (const name of await readdir(layout.temporaryDirectory)) {
    if (name.startsWith(`${image}~`)) await rm(join(layout.temporaryDirectory, name), { force: true });
  }
}
