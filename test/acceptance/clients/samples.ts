import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesOf, mebibyte } from '../s3/case.ts';

/** Larger than the parts in which clients send. */
export const largeBytes = 24 * mebibyte;
/** A key with all that is easily encoded once too often or not at all. */
export const oddKey = "a b+c&d/ü 😀 %2F=;:@,'!()~*.txt";
export const oddContent = 'content under an odd key\n';

const oddNames = [
  'empty',
  'with space',
  'plus+plus',
  'per%20cent',
  'déjà-vu',
  'smile 😀',
  '#hash?',
  'a',
  'a.b/c',
  'a-b',
];
/** What `touch` of long ago would leave, with parts of a second. */
const modifiedSeconds = 981_173_106.5;

/** Writes a directory of 30 files, some with odd names, one empty, the largest of 300 KB. */
export async function writeTree(root: string): Promise<void> {
  for (let index = 0; index < 30; index++) {
    const path = join(root, oddNames[index] ?? `deep/${index % 4}/file ${index}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, oddNames[index] === 'empty' ? '' : bytesOf(1 + index ** 2 * 350, index));
    await utimes(path, modifiedSeconds + index, modifiedSeconds + index);
  }
}

/** A large file; its content differs by the seed. */
export async function writeLarge(path: string, seed: number): Promise<Buffer> {
  const content = bytesOf(largeBytes, seed);
  await writeFile(path, content);
  return content;
}

/** Every file below a directory with a hash of its content, in order. */
export async function treeOf(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const found: Record<string, string> = {};
  for (const path of paths.toSorted()) found[path.slice(root.length + 1)] = await hashOfFile(path);
  return found;
}

export async function hashOfFile(path: string): Promise<string> {
  return hashOf(await readFile(path));
}

export function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
