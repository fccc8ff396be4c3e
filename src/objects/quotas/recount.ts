import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { beginCount, countPage, pageRowsByDefault } from './count-page.ts';
import type { QuotaBook } from './quota.ts';

export interface CountOptions {
  /** How long the caller waits. What was counted by then is kept, and the next call goes on there. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal;
  readonly pageRows?: number;
}

const pollMs = 20;

/**
 * Counts books that were entered just now; twice where somebody may be in flight, so that they hold meanwhile up to that. They
 * are exact when this gives true. When it gives false there was more to count than the patience was for, or somebody was in
 * flight for longer than that, and it is to be called again.
 */
export async function countBook(store: Store, clock: Clock, book: QuotaBook, options: CountOptions): Promise<boolean> {
  const untilMs = performance.now() + options.patienceMs;
  const left = () => ({ ...options, patienceMs: untilMs - performance.now() });
  let { final: isFinal, watch } = await store.gapsAreFinal(null);
  if (!isFinal && (await compareBook(store, clock, book, left(), false)) === 'going') return false;
  while (!isFinal) {
    if (performance.now() > untilMs) return false;
    await delay(pollMs);
    ({ final: isFinal, watch } = await store.gapsAreFinal(watch));
  }
  const counted = await compareBook(store, clock, book, left());
  return counted !== 'going' && counted !== null;
}

/**
 * Counts what stands for a subject, page by page, and mends its books. Gives whether they were wrong; `going` when the
 * patience was over before the end, and `null` when they were not counted to the end: they are gone, somebody else ended
 * the count, or what stands was entered anew meanwhile.
 */
export async function compareBook(
  store: Store,
  clock: Clock,
  { subject, bookId }: QuotaBook,
  { patienceMs, signal, pageRows = pageRowsByDefault }: CountOptions,
  isFinal = true,
): Promise<'right' | 'wrong' | 'going' | null> {
  const untilMs = performance.now() + patienceMs;
  await store.write(beginCount, { subject, bookId, isFinal });
  for (;;) {
    const counted = await store.write(countPage, { subject, bookId, pageRows, nowMs: clock.nowMs() });
    if (counted === null) return null;
    if (counted !== 'going') return counted.bytes === 0 && counted.objects === 0 ? 'right' : 'wrong';
    // At least a page each time, so that any patience comes to an end.
    if (signal?.aborted === true || performance.now() > untilMs) return 'going';
  }
}
