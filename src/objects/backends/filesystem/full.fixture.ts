import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { toErrorData } from '../../../kernel/errors/errors.ts';
import { MIB, bytesOf, chunked } from '../conformance/sources.ts';
import { blobFiles, inTime, openFilesystem, putBytes } from './testkit.ts';

// Fills a small disk of its own, which only this process and its children see, and prints what the backend says of it.

const [parent = ''] = process.argv.slice(2);
const directory = join(parent, 'disk');
mkdirSync(directory);
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory]);

const backend = openFilesystem(directory);
const errors: unknown[] = [];
const attempt = async (put: () => Promise<void>): Promise<void> => {
  try {
    await put();
  } catch (error) {
    errors.push(toErrorData(error));
  }
};
await attempt(() =>
  backend.put('b/stream', chunked(bytesOf(3 * MIB), [65_536]), { sizeBytes: 3 * MIB, signal: inTime() }),
);
for (let count = 0; count < 20 && errors.length < 2; count++) {
  await attempt(() => putBytes(backend, `b/${count}`, bytesOf(200_000)));
}
const left = readdirSync(join(directory, 'tmp'));
const held = (await blobFiles(directory)).length;
await backend.delete('b/0', inTime());
await putBytes(backend, 'b/again', bytesOf(200_000));
const health = await backend.health(inTime());
await backend.close();
console.log(JSON.stringify({ errors, left, held, freeBytes: health.freeBytes, totalBytes: health.totalBytes }));
