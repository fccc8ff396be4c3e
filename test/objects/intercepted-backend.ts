import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import type { ObjectBackend } from '../../src/objects/backends/backend.ts';
import { chunksOf } from '../../src/objects/content/content.ts';

/**
 * What a test does to a call of a backend: let it `pass`, `drop` it (nothing happened), `lose` its answer (it happened), or
 * have it `linger` (it happens when the test says so, long after its caller has gone). The caller knows none of that.
 */
export type CallFate = 'pass' | 'drop' | 'lose' | 'linger';

/** The way from one process to its backends. */
export interface CallWatch {
  /** Asked before every call. */
  fate: () => CallFate;
  /** Calls on their way, so that a test can wait for those of a process that has died. */
  readonly underWay: Set<Promise<unknown>>;
  /** What still comes. */
  readonly lingering: (() => Promise<unknown>)[];
}

export function watchCalls(): CallWatch {
  return { fate: () => 'pass', underWay: new Set(), lingering: [] };
}

export function interceptedBackend(real: ObjectBackend, watch: CallWatch): ObjectBackend {
  async function call<R>(work: () => Promise<R>, linger: () => Promise<() => Promise<R>>): Promise<R> {
    const fate = watch.fate();
    if (fate === 'drop') throw lost();
    if (fate === 'linger') {
      watch.lingering.push(await linger());
      throw lost();
    }
    const working = work();
    watch.underWay.add(working);
    try {
      const result = await working;
      if (fate === 'lose') throw lost();
      return result;
    } finally {
      watch.underWay.delete(working);
    }
  }
  const plain = <R>(work: () => Promise<R>) => call(work, async () => work);
  return {
    get capabilities() {
      return real.capabilities;
    },
    health: (signal) => plain(() => real.health(signal)),
    put: (key, content, { sizeBytes, signal }) =>
      call(
        () => real.put(key, content, { sizeBytes, signal }),
        async () => {
          const chunks: Buffer[] = [];
          for await (const chunk of chunksOf(content)) chunks.push(chunk);
          const late = { sizeBytes, signal: new AbortController().signal };
          return () => real.put(key, Buffer.concat(chunks), late);
        },
      ),
    get: (key, range, signal) => plain(() => real.get(key, range, signal)),
    head: (key, signal) => plain(() => real.head(key, signal)),
    delete: (key, signal) =>
      call(
        () => real.delete(key, signal),
        async () => () => real.delete(key, new AbortController().signal),
      ),
    list: (page, signal) => plain(() => real.list(page, signal)),
    copy: (source, target, signal) => plain(() => real.copy(source, target, signal)),
    close: () => real.close(),
  };
}

function lost(): HoldfastError {
  return new HoldfastError('unavailable', 'The backend does not answer: a test says so.', { outcome: 'unknown' });
}
