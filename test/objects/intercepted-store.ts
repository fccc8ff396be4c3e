import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import type { Store } from '../../src/kernel/store/store.ts';

/**
 * What a test does to a write transaction: let it `pass`, `refuse` it (nothing happened, and the caller knows), `drop` it
 * (nothing happened, and the caller does not know), or `lose` its answer (it happened, and the caller does not know).
 */
export type WriteFate = 'pass' | 'refuse' | 'drop' | 'lose';

/** A store between the gateway and the real one. */
export interface InterceptedStore extends Store {
  /** Asked before every write, by the transaction's name. May wait. */
  fate: (name: string) => WriteFate | Promise<WriteFate>;
  /** Asked before every read; throws to have the store be away. May wait. */
  onRead: () => void | Promise<void>;
  /** Names of all writes so far. */
  readonly writes: string[];
}

export function intercepted(real: Store): InterceptedStore {
  const store: InterceptedStore = {
    fate: () => 'pass',
    onRead: () => {},
    writes: [],
    exclusive: real.exclusive,
    get commits() {
      return real.commits;
    },
    description: real.description,
    async write(target, params) {
      store.writes.push(target.name);
      const fate = await store.fate(target.name);
      if (fate === 'refuse') throw away('none');
      if (fate === 'drop') throw away('unknown');
      const result = await real.write(target, params);
      if (fate === 'lose') throw away('unknown');
      return result;
    },
    async read(query) {
      await store.onRead();
      return real.read(query);
    },
    publish: (topic, payload) => real.publish(topic, payload),
    subscribe: (topic, listener) => real.subscribe(topic, listener),
    gapsAreFinal: (since) => real.gapsAreFinal(since),
    health: () => real.health(),
    close: () => real.close(),
  };
  return store;
}

/** The error of a store that does not answer. */
export function away(outcome: 'none' | 'unknown'): HoldfastError {
  return new HoldfastError('unavailable', 'The store is unavailable: a test says so.', { outcome });
}
