import { setTimeout as delay } from 'node:timers/promises';

/** Many times what anything that tests wait for takes, also while other tests have the machine. */
const usualTimeoutMs = 60_000;

/** Waits until `read` gives something other than `false`, `null` or `undefined`; fails after `timeoutMs` with `what`. */
export async function until<T>(
  what: string,
  read: () => T | Promise<T>,
  timeoutMs = usualTimeoutMs,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadlineAt = performance.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (value !== false && value !== null && value !== undefined) return value as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadlineAt) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await delay(10);
  }
}
