import { away } from './intercepted-store.ts';
import type { Lab } from './lab.ts';

/**
 * How a process is disturbed in a step, which is a write to the store or a call of a backend: `before` it happens, `after`
 * it has, or `during` a call of a backend, whose effect then comes long after.
 */
export type Manner = 'before' | 'after' | 'during';

export interface Disturbance {
  /** Counted from 1. */
  readonly step: number;
  readonly manner: Manner;
  /** Whether the process ends there, so that nothing it does afterwards reaches anybody. */
  readonly isFatal: boolean;
}

export interface Disturbed {
  /** What it was disturbed in; `null` when there were fewer steps. */
  where(): 'store' | 'backend' | null;
  /** Waits until all that was begun has ended, and disturbs no more; but who is dead stays dead. */
  silence(): Promise<void>;
}

/** Disturbs a process once. It does not learn how its step ended. */
export function disturb({ store, calls, gateway }: Lab, { step, manner, isFatal }: Disturbance): Disturbed {
  let steps = 0;
  let where: ReturnType<Disturbed['where']> = null;
  let isOver = false;
  const isDead = () => isFatal && where !== null;
  /** Whether this is the step. */
  const isHit = (place: 'store' | 'backend') => {
    if (isOver || ++steps !== step) return false;
    where = place;
    return true;
  };
  store.fate = () => {
    if (isDead()) return 'drop';
    if (!isHit('store')) return 'pass';
    return manner === 'after' ? 'lose' : 'drop';
  };
  store.onRead = () => {
    if (isDead()) throw away('unknown');
  };
  calls.fate = () => {
    if (isDead()) return 'drop';
    if (!isHit('backend')) return 'pass';
    return manner === 'before' ? 'drop' : manner === 'after' ? 'lose' : 'linger';
  };
  return {
    where: () => where,
    silence: async () => {
      await gateway.writer.settle();
      await Promise.allSettled(calls.underWay);
      isOver = true;
    },
  };
}
