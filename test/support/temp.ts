import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory of the test's own; `await using` removes it. */
export async function temporaryDirectory(
  prefix = 'holdfast-',
  parent = tmpdir(),
): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(parent, prefix));
  // Processes that were killed may be ending still, and so may files of theirs come while it is emptied.
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
