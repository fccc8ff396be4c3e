import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { isBackendFault } from '../backend.ts';

const LOOKS = 4;
const FIRST_DELAY_MS = 40;

/** A blob that stands whole under a temporary name, on its way to its own. */
export interface Placing {
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
  /** Renames it, over whatever has the name. */
  move(): Promise<void>;
  /** The size of what has the name now, or `null`. */
  look(): Promise<number | null>;
}

/**
 * Renames a blob and believes only what it then sees: the name must hold that many bytes. A rename whose answer was lost, or
 * that another put of the same blob got in the way of (servers delete what they replace first), is looked at again.
 *
 * @throws HoldfastError of the rename, with `details.outcome` `unknown` when it may still have come to pass.
 */
export async function putInPlace({ sizeBytes, signal, move, look }: Placing): Promise<void> {
  let failure: unknown = null;
  let hasMoved = false;
  for (let turn = 0; turn < LOOKS; turn++) {
    if (turn > 0) await delay(FIRST_DELAY_MS * 2 ** turn, undefined, { signal }).catch(() => undefined);
    try {
      if (!hasMoved) await move();
      hasMoved = true;
      failure = null;
    } catch (error) {
      // What the first try may have done is not undone by the second one's finding nothing to move.
      failure ??= error;
      signal.throwIfAborted();
      if (isFinal(error)) throw error;
    }
    try {
      const seenBytes = await look();
      if (seenBytes === sizeBytes) return;
      if (hasMoved && seenBytes !== null) throw wrongSize(seenBytes, sizeBytes);
    } catch (error) {
      signal.throwIfAborted();
      throw withUnknownOutcome(failure ?? error);
    }
  }
  throw withUnknownOutcome(failure ?? new HoldfastError('backend', 'The blob was renamed, but cannot be found.'));
}

/** Whether the real system said clearly that it does not do it; such refusals have a reason. */
function isFinal(error: unknown): boolean {
  return !isBackendFault(error) || (error as HoldfastError).details['reason'] !== undefined;
}

function wrongSize(seenBytes: number, sizeBytes: number): HoldfastError {
  const sentence = `The backend stored ${seenBytes} of ${sizeBytes} bytes.`;
  return new HoldfastError('backend', sentence, { stored_bytes: seenBytes, announced_bytes: sizeBytes });
}

/** The error, saying that what failed may yet have come to pass. */
export function withUnknownOutcome(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || !isBackendFault(error)) return error;
  return new HoldfastError(error.kind, error.message, { ...error.details, outcome: 'unknown' }, error.cause);
}
