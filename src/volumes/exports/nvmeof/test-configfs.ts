/** Carries plans out in a temporary directory that behaves, where it matters here, like the configfs of the target. */
import { mkdir, readdir, rm, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConfigStep } from './plan.ts';

/** The folders that the kernel makes with a folder of this depth and kind. */
const groups: Readonly<Record<string, readonly string[]>> = {
  subsystems: ['allowed_hosts', 'namespaces'],
  ports: ['subsystems'],
  hosts: [],
};

export async function emptyConfigfs(root: string): Promise<void> {
  for (const folder of Object.keys(groups)) await mkdir(join(root, folder), { recursive: true });
}

/** Fails where the kernel would: on a folder with entries, a namespace in use, a link to nothing. */
export async function carryOut(root: string, steps: readonly ConfigStep[]): Promise<void> {
  for (const step of steps) await carry(root, step);
}

async function carry(root: string, step: ConfigStep): Promise<void> {
  const path = join(root, step.path);
  const [kind = '', ...rest] = step.path.split('/');
  if (step.do === 'mkdir') {
    await mkdir(path);
    if (rest.length === 1) for (const group of groups[kind] ?? []) await mkdir(join(path, group));
    if (rest.includes('namespaces')) await writeFile(join(path, 'enable'), '0\n');
  } else if (step.do === 'write') {
    await readdir(dirname(path));
    await writeFile(path, `${step.text}\n`);
  } else if (step.do === 'link') {
    await readdir(join(root, step.target));
    await symlink(join(root, step.target), path);
  } else if (step.do === 'unlink') {
    await unlink(path);
  } else {
    await removeFolder(path, rest.length === 1 ? (groups[kind] ?? []) : []);
  }
}

/** Attributes go with their folder, and so do the groups that the kernel made, when they are empty. */
async function removeFolder(path: string, own: readonly string[]): Promise<void> {
  for (const group of own) await rmdir(join(path, group));
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isFile()) await rm(join(path, entry.name));
  }
  await rmdir(path);
}
