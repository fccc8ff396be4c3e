import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { Copy } from '../object.ts';
import { checkCopy } from './check-copy.ts';

const lookTimeoutMs = 60_000;
/** A copy that comes more slowly than this is not waited for. */
const bytesPerMs = 1_000;

/**
 * Reads copies of a part whole, one after the other, until one of them is right; `null` when none is. For whoever lets go of
 * another copy: that a blob is there, and as long as it was, says nothing of its bytes. Throws only the reason of `signal`.
 */
export async function findGoodCopy<C extends Copy>(
  registry: ObjectBackendRegistry,
  copies: readonly C[],
  signal: AbortSignal,
): Promise<C | null> {
  for (const copy of copies) {
    const known = registry.get(copy.backend);
    if (known === null) continue;
    const deadline = AbortSignal.timeout(lookTimeoutMs + Math.ceil(copy.storedBytes / bytesPerMs));
    try {
      const found = await checkCopy(known.backend, copy, { signal: AbortSignal.any([signal, deadline]) });
      if (found.verdict === 'good') return copy;
    } catch {
      // It took too long, unless the caller has given up.
      signal.throwIfAborted();
    }
  }
  return null;
}
