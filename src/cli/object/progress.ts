import type { Output } from '../output.ts';
import { ProgressMeter, type Totals } from './progress-meter.ts';

const periodMs = 200;

/** A line on the terminal that tells how far a transfer is; nothing where nobody looks. */
export interface Progress extends Disposable {
  add(bytes: number): void;
  objectDone(): void;
  /** What there is in all. */
  expect(totals: Totals): void;
}

/**
 * Shows progress on the error stream when both streams are a terminal. `totals` is asked only then, and may take its time:
 * until they are known there is no percentage.
 */
export function showProgress(
  output: Output,
  isJson: boolean,
  totals?: (signal: AbortSignal) => Promise<Totals>,
): Progress {
  if (isJson || !output.isTerminal || !process.stderr.isTTY) {
    return { add: () => {}, objectDone: () => {}, expect: () => {}, [Symbol.dispose]: () => {} };
  }
  const meter = new ProgressMeter(performance.now());
  const control = new AbortController();
  totals?.(control.signal).then(
    (known) => meter.setTotals(known),
    // The transfer itself meets the same error, and tells it.
    () => {},
  );
  const timer = setInterval(() => output.live(meter.line(performance.now())), periodMs);
  return {
    add: (bytes) => meter.add(bytes),
    objectDone: () => meter.objectDone(),
    expect: (known) => meter.setTotals(known),
    [Symbol.dispose]: () => {
      clearInterval(timer);
      control.abort();
      output.live('');
    },
  };
}
