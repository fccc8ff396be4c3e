/**
 * Why a run stops: its lease is `lost` (another replica owns it), this process is in `shutdown` (somebody will go on), or
 * it was `cancelled` (it cleans up).
 */
export type StopReason = 'lost' | 'shutdown' | 'cancelled';

/** Unwinds a run. Handlers let it pass. */
export class StoppedError extends Error {
  readonly stopReason: StopReason;

  constructor(stopReason: StopReason) {
    super(`the operation stops: ${stopReason}`);
    this.name = 'StoppedError';
    this.stopReason = stopReason;
  }
}

/** Timers hold 31 bits of milliseconds; a longer wait is a row of them. */
const timerMaxMs = 2 ** 31 - 1;

/** Waits until `atMs` on the given clock, or until the signal aborts; says nothing about which. */
export async function waitUntil(atMs: number, signal: AbortSignal, clock: { now(): number }): Promise<void> {
  for (let leftMs = atMs - clock.now(); leftMs > 0 && !signal.aborted; leftMs = atMs - clock.now()) {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(leftMs, timerMaxMs));
      signal.addEventListener('abort', done);
    });
  }
}
