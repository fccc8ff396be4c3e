import { crc32 } from 'node:zlib';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import { bodyOf } from '../content/form.ts';
import type { Copy } from '../object.ts';

/**
 * Reads a copy whole and compares its body with what the ledger says, for which no key is needed. A backend that cannot be
 * read tells nothing of it (`unknown`): unreadable is not corrupt.
 */
export async function verifyCopy(
  copy: Copy,
  registry: ObjectBackendRegistry,
  signal: AbortSignal,
): Promise<'good' | 'bad' | 'unknown'> {
  const backend = registry.get(copy.backend)?.backend;
  if (backend === undefined) return 'unknown';
  const body = bodyOf(copy);
  const range = body.bytes === 0 ? null : { offset: 0, length: body.bytes };
  try {
    const blob = await backend.get(copy.storageKey, range, signal);
    // What stands behind the body is its description.
    if (blob === null) return 'bad';
    if (blob.sizeBytes <= body.bytes) {
      blob.cancel();
      return 'bad';
    }
    if (range === null) {
      blob.cancel();
      return 'good';
    }
    let sum = 0;
    let countBytes = 0;
    for await (const chunk of chunksOf(blob.content)) {
      sum = crc32(chunk, sum);
      countBytes += chunk.length;
    }
    return countBytes === body.bytes && sum === body.crc32 ? 'good' : 'bad';
  } catch {
    return 'unknown';
  }
}
