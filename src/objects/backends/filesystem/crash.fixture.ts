import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { bytesOf, chunked } from '../conformance/sources.ts';
import { inTime, openFilesystem } from './testkit.ts';

// Puts blobs without end, and says before each which one begins and after it which one is acknowledged. The parent kills
// it. A key tells the seed of its bytes, so the parent knows what must be there.

const ROUNDS_MAX = 100_000;
/** Each a millisecond after the one before. */
const TELL_TRIES = 10_000;
const [directory = '', size = '0', writers = '4', patience = ''] = process.argv.slice(2);
const sizeBytes = Number(size);
const backend = openFilesystem(directory);
await backend.health(inTime());
// At the end of the process it would be too late: it is killed.
flushCompileCache();

async function write(): Promise<void> {
  for (let count = 0; count < ROUNDS_MAX; count++) {
    const key = `crash/${randomUUID()}`;
    tell({ key, isDone: false });
    const content = chunked(bytesOf(sizeBytes, key), [65_536]);
    await backend.put(key, content, { sizeBytes, signal: inTime(), isBackground: patience === 'background' });
    tell({ key, isDone: true });
  }
}

/** Written at once, not when the event loop comes to it, so that the parent knows of every put that has begun. */
function tell(event: { readonly key: string; readonly isDone: boolean }): void {
  let rest = Buffer.from(`${JSON.stringify(event)}\n`);
  for (let tries = 0; rest.length > 0; tries++) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The parent has not read what came before.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || tries === TELL_TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

await Promise.all(Array.from({ length: Number(writers) }, write));
