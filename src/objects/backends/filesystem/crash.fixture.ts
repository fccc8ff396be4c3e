import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { bytesOf, chunked } from '../conformance/sources.ts';
import { inTime, openFilesystem } from './testkit.ts';

// Puts blobs without end, and says before each which one begins and after it which one is acknowledged. The parent kills
// it. A key tells the seed of its bytes, so the parent knows what must be there.

const ROUNDS_MAX = 100_000;
const [directory = '', size = '0', writers = '4'] = process.argv.slice(2);
const sizeBytes = Number(size);
const backend = openFilesystem(directory);
await backend.health(inTime());
// At the end of the process it would be too late: it is killed.
flushCompileCache();

async function write(): Promise<void> {
  for (let count = 0; count < ROUNDS_MAX; count++) {
    const key = `crash/${randomUUID()}`;
    // Written at once, not when the event loop comes to it, so that the parent knows of every put that has begun.
    writeSync(1, `${JSON.stringify({ key, isDone: false })}\n`);
    const content = chunked(bytesOf(sizeBytes, key), [65_536]);
    await backend.put(key, content, { sizeBytes, signal: inTime() });
    writeSync(1, `${JSON.stringify({ key, isDone: true })}\n`);
  }
}

await Promise.all(Array.from({ length: Number(writers) }, write));
