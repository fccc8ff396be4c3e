import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { newId } from '../conformance/suite.ts';
import { CRASH_STEPS } from './crash-steps.ts';
import { createFileBackend } from './file.ts';

// Lives the life of two images again and again, and says before each step which one comes. The parent kills it.

const ROUNDS_MAX = 10_000;
const [directory = ''] = process.argv.slice(2);
const backend = createFileBackend({ directory });
// At the end of the process it would be too late: it is killed.
flushCompileCache();

for (let count = 0; count < ROUNDS_MAX; count++) {
  const round = { parent: newId(), clone: newId() };
  for (const [index, step] of CRASH_STEPS.entries()) {
    // Written at once, not when the event loop comes to it, so that the parent knows of every step that has begun.
    writeSync(1, `${JSON.stringify({ index, round })}\n`);
    await step.run(backend, round);
  }
}
