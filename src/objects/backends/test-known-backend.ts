import type { ObjectBackend } from './backend.ts';
import type { KnownBackend } from './registry.ts';

/** A backend as a registry knows it, let through for everything unless it is said otherwise. */
export function knownBackend(
  name: string,
  backend: ObjectBackend,
  more: Partial<Omit<KnownBackend, 'name' | 'backend'>> = {},
): KnownBackend {
  return {
    name,
    kind: 'memory',
    state: 'active',
    labels: {},
    position: 0,
    quotaBytes: null,
    objectBytesMax: null,
    version: 1,
    backend,
    isOpenFor: () => true,
    isOver: () => false,
    latencyMs: 1,
    ...more,
  };
}
