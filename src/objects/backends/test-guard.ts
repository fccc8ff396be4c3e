import type { ObjectBackend } from './backend.ts';
import { type BreakerPolicy, defaultBreakerPolicy } from './breaker.ts';
import { type GuardTimeouts, GuardedBackend } from './guarded.ts';
import { MemoryObjectBackend } from './memory/memory.ts';

/** A guarded backend on a clock of the test's own, with what it counted and told. */
export interface GuardRig {
  readonly guard: GuardedBackend;
  readonly memory: MemoryObjectBackend;
  readonly used: { requests: number; ingressBytes: number; egressBytes: number };
  /** Such as `put ok`. */
  readonly told: string[];
  /** Moves the clock of breakers; deadlines are real time. */
  advance(ms: number): void;
}

export const quickTimeouts: GuardTimeouts = { answerMs: 60, idleMs: 60, copyMs: 60 };
export const steadyPolicy: BreakerPolicy = { ...defaultBreakerPolicy, jitterShare: 0 };

export function guardRig(
  timeouts: GuardTimeouts = quickTimeouts,
  wrap: (memory: MemoryObjectBackend) => ObjectBackend = (memory) => memory,
): GuardRig {
  const memory = new MemoryObjectBackend();
  const used = { requests: 0, ingressBytes: 0, egressBytes: 0 };
  const told: string[] = [];
  let nowMs = 1_000_000;
  const guard = new GuardedBackend(wrap(memory), {
    name: 'disk1',
    policy: steadyPolicy,
    timeouts,
    clock: { nowMs: () => nowMs },
    random: () => 0,
    count: (delta) => {
      used.requests += delta.requests;
      used.ingressBytes += delta.ingressBytes;
      used.egressBytes += delta.egressBytes;
    },
    observe: (_backend, verb, result) => void told.push(`${verb} ${result}`),
  });
  return { guard, memory, used, told, advance: (ms) => void (nowMs += ms) };
}

export function anySignal(): AbortSignal {
  return new AbortController().signal;
}
