import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ObjectBackend } from '../backend.ts';

/** A verb of the port that can be made to fail. */
export type FaultVerb = Exclude<keyof ObjectBackend, 'capabilities' | 'close'>;

/**
 * What a test has the real system do wrong.
 * - `fail`: refuses (`backend`), without effect. `full`: the same, for want of space.
 * - `unreachable`: cannot be reached (`unavailable`), without effect.
 * - `overloaded`: wants less (`overloaded`), without effect.
 * - `hang`: never answers; ends with the signal. With `afterBytes` only after so many bytes of a put or get.
 * - `slow`: works, but every answer, and every chunk of a put or get, comes `delayMs` late.
 * - `lost_answer`: does the work, and the answer is lost (`unavailable`, the outcome is unknown).
 * - `break`: the stream of a put or get breaks after `afterBytes` (`backend`).
 * - `truncate`: the stream of a get ends after `afterBytes` as if that were all. It breaks the port's law, as a defect
 *   of an adapter would, so that what stands above can show that it counts for itself.
 * - `shrink`: the blob is `afterBytes` long all at once, and head, get and list say so: bytes were lost at rest.
 * - `corrupt`: the byte at `afterBytes` is another one.
 */
export type FaultEffect =
  | 'fail'
  | 'full'
  | 'unreachable'
  | 'overloaded'
  | 'hang'
  | 'slow'
  | 'lost_answer'
  | 'break'
  | 'truncate'
  | 'shrink'
  | 'corrupt';

export interface ObjectFault {
  readonly verb: FaultVerb;
  /** Only for this storage key, or those that it accepts; without it, for any. */
  readonly key?: string | ((key: string) => boolean);
  /** How many calls it still hits; `Infinity` for every one until it is taken out. */
  times: number;
  readonly effect: FaultEffect;
  readonly delayMs?: number;
  readonly afterBytes?: number;
}

/** Takes the first fault that fits the call, and uses it up by one. */
export function takeFault(faults: ObjectFault[], verb: FaultVerb, key: string): ObjectFault | null {
  const index = faults.findIndex((fault) => fault.times > 0 && fault.verb === verb && fitsKey(fault, key));
  const fault = faults[index];
  if (fault === undefined) return null;
  fault.times--;
  if (fault.times === 0) faults.splice(index, 1);
  return fault;
}

/** What a fault does before the work of a verb begins. */
export async function beforeWork(fault: ObjectFault | null, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (fault === null) return;
  const { verb, effect, delayMs = 0, afterBytes } = fault;
  if (effect === 'fail') throw new HoldfastError('backend', `The memory backend failed at ${verb}, as it was told to.`);
  if (effect === 'full') throw full();
  if (effect === 'unreachable') throw new HoldfastError('unavailable', 'The memory backend cannot be reached.');
  if (effect === 'overloaded') throw new HoldfastError('overloaded', 'The memory backend wants fewer requests.');
  if (effect === 'hang' && afterBytes === undefined) await hang(signal);
  if (effect === 'slow') await pause(delayMs, signal);
}

/** What a fault does when the work is done. */
export function afterWork(fault: ObjectFault | null): void {
  if (fault?.effect !== 'lost_answer') return;
  const message = `The answer of the memory backend to ${fault.verb} was lost.`;
  throw new HoldfastError('unavailable', message, { outcome: 'unknown' });
}

/** Chunks on their way, with what a fault does to them. */
export async function* throughFault(
  chunks: AsyncIterable<Buffer>,
  fault: ObjectFault | null,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { effect = null, afterBytes = 0, delayMs = 0, verb = 'get' } = fault ?? {};
  const isCut = effect === 'break' || effect === 'truncate' || (effect === 'hang' && fault?.afterBytes !== undefined);
  let passedBytes = 0;
  for await (const chunk of chunks) {
    if (effect === 'slow') await pause(delayMs, signal);
    const room = isCut ? afterBytes - passedBytes : chunk.length;
    if (Math.min(room, chunk.length) > 0) yield chunk.subarray(0, room);
    passedBytes += chunk.length;
    if (room >= chunk.length && passedBytes !== afterBytes) continue;
    if (effect === 'hang') await hang(signal);
    if (effect === 'break') throw new HoldfastError('backend', `The memory backend broke off a ${verb}.`);
    if (effect === 'truncate') return;
  }
}

export function full(): HoldfastError {
  return new HoldfastError('backend', 'The memory backend is full.', { reason: 'full' });
}

function fitsKey(fault: ObjectFault, key: string): boolean {
  if (fault.key === undefined) return true;
  return typeof fault.key === 'string' ? fault.key === key : fault.key(key);
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(delayMs, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}

async function hang(signal: AbortSignal): Promise<never> {
  await new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  throw signal.reason;
}
