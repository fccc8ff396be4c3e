import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../kernel/store/store.ts';

/** Between two looks of a net below the store's own wake-ups, which may be lost. */
const pollMs = 1_000;

/**
 * Looks until there is something to see: at once, whenever `payload` is told under `topic`, and each second besides. `null` when
 * the signal aborts first; what a look throws ends it.
 */
export async function lookUntil<T>(
  store: Store,
  { topic, payload }: { readonly topic: string; readonly payload: string },
  signal: AbortSignal,
  look: () => Promise<T | null>,
): Promise<T | null> {
  let woken = new AbortController();
  // The ear is open before the first look, so that what comes in between is not missed.
  const end = store.subscribe(topic, (told) => told === payload && woken.abort());
  try {
    for (;;) {
      const found = await look();
      if (found !== null || signal.aborted) return found;
      await delay(pollMs, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => undefined);
      woken = new AbortController();
    }
  } finally {
    end();
  }
}
