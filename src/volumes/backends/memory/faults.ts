import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { VolumeBackend } from '../backend.ts';
import { passed } from '../image-rules.ts';

/** A verb of the port that can be made to fail. */
export type FaultVerb = Exclude<keyof VolumeBackend, 'name' | 'capabilities' | 'createParameters' | 'close'>;

/**
 * What a test has the real system do wrong.
 * - `fail`: refuses (`backend`), without effect.
 * - `unreachable`: cannot be reached (`unavailable`), without effect.
 * - `hang`: never answers, without effect; ends with the caller's deadline.
 * - `fail_after_effect`: does the work, and the answer is lost (`unavailable`).
 * - `delay`: works, only later.
 */
export type FaultEffect = 'fail' | 'unreachable' | 'hang' | 'fail_after_effect' | 'delay';

export interface Fault {
  readonly verb: FaultVerb;
  /** Only for this image; without it, for any. */
  readonly image?: string;
  /** How many calls it still hits. */
  times: number;
  readonly effect: FaultEffect;
  /** Passes before the effect. */
  readonly delayMs?: number;
}

/** Takes the first fault that fits the call, and uses it up by one. */
export function takeFault(faults: Fault[], verb: FaultVerb, image: string | null): Fault | null {
  const index = faults.findIndex((fault) => fits(fault, verb, image));
  const fault = faults[index];
  if (fault === undefined) return null;
  fault.times--;
  if (fault.times === 0) faults.splice(index, 1);
  return fault;
}

function fits(fault: Fault, verb: FaultVerb, image: string | null): boolean {
  return fault.times > 0 && fault.verb === verb && (fault.image === undefined || fault.image === image);
}

/** Does the work as the fault has it. */
export async function withFault<T>(fault: Fault, signal: AbortSignal, work: () => T): Promise<T> {
  const { verb, effect, delayMs = 0 } = fault;
  if (delayMs > 0) await untilAborted(delay(delayMs, undefined, { signal }), verb);
  if (effect === 'hang') await untilAborted(never(signal), verb);
  if (effect === 'fail') throw new HoldfastError('backend', `The memory backend failed at ${verb}, as it was told to.`);
  if (effect === 'unreachable') throw new HoldfastError('unavailable', 'The memory backend cannot be reached.');
  const result = work();
  if (effect !== 'fail_after_effect') return result;
  throw new HoldfastError('unavailable', `The answer of the memory backend to ${verb} was lost.`);
}

async function untilAborted(wait: Promise<void>, verb: string): Promise<void> {
  try {
    await wait;
  } catch (error) {
    throw error instanceof Error && error.name === 'AbortError' ? passed(verb) : error;
  }
}

async function never(signal: AbortSignal): Promise<void> {
  await new Promise<never>((_, reject) => {
    const abort = () => reject(new DOMException('the deadline passed', 'AbortError'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
