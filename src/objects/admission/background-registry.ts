import type { ObjectBackend, OpenBlob } from '../backends/backend.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import type { BackgroundGate } from './background-gate.ts';
import type { Release } from './fair-queue.ts';

interface RegistryOf<K extends KnownBackend> extends ObjectBackendRegistry {
  readonly all: readonly K[];
  get(name: string): K | null;
}

/**
 * The registry as keepers see it: their calls of backends go through the gate. A read holds its place until its bytes have
 * been read. A put takes one more without waiting for it, since what keepers write is what they read at the same time; who wants
 * to read next waits for it.
 */
export function backgroundRegistry<K extends KnownBackend>(
  registry: RegistryOf<K>,
  gate: BackgroundGate,
): RegistryOf<K> {
  const known = new WeakMap<K, K>();
  const gated = (one: K): K => {
    let found = known.get(one);
    if (found === undefined) known.set(one, (found = gatedBackend(one, gate)));
    return found;
  };
  return {
    get all() {
      return registry.all.map(gated);
    },
    get: (name) => {
      const found = registry.get(name);
      return found === null ? null : gated(found);
    },
    refresh: () => registry.refresh(),
    close: () => registry.close(),
  };
}

/** What a backend is may change at any time, so that all of it is asked for anew. */
function gatedBackend<K extends KnownBackend>(known: K, gate: BackgroundGate): K {
  const backend = gatedCalls(() => known.backend, gate);
  return new Proxy(known, {
    get: (target, name) => {
      if (name === 'backend') return backend;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function gatedCalls(real: () => ObjectBackend, gate: BackgroundGate): ObjectBackend {
  async function through<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const release = await gate.enter(signal);
    return work().finally(release);
  }
  return {
    get capabilities() {
      return real().capabilities;
    },
    health: (signal) => real().health(signal),
    put: async (key, content, options) => {
      const release = gate.join();
      return real()
        .put(key, content, { ...options, isBackground: true })
        .finally(release);
    },
    get: async (key, range, signal, into) => {
      await gate.rest(signal);
      const release = await gate.enter(signal);
      try {
        const blob = await real().get(key, range, signal, into);
        if (blob === null) release();
        return blob === null ? null : held(blob, release);
      } catch (error) {
        release();
        throw error;
      }
    },
    head: (key, signal) => through(signal, () => real().head(key, signal)),
    delete: (key, signal) => through(signal, () => real().delete(key, signal)),
    list: (page, signal) => through(signal, () => real().list(page, signal)),
    copy: (source, target, signal) => through(signal, () => real().copy(source, target, signal)),
    close: () => real().close(),
  };
}

/** A blob that gives the place back when it has been read, broke or is cancelled, which its reader sees to. */
function held(blob: OpenBlob, release: Release): OpenBlob {
  async function* content(): AsyncGenerator<Buffer> {
    try {
      yield* chunksOf(blob.content);
    } finally {
      release();
    }
  }
  const cancel = () => {
    release();
    blob.cancel();
  };
  return { ...blob, content: content(), cancel };
}
