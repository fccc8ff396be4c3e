import { HoldfastError, toErrorData } from '../../../kernel/errors/errors.ts';
import type { ManagedBackend } from '../managed.ts';

/** How a backend is, as of a moment. */
export interface BackendHealth {
  readonly isHealthy: boolean;
  /** For people: what it is, or what is wrong. */
  readonly detail: string;
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly checkedAtMs: number;
}

/** An answer may be this old: asking costs a request, which some providers bill. */
const freshMs = 10_000;

/** Asks backends how they are, each at most every few seconds, however many people look. */
export class HealthMemo {
  readonly #timeoutMs: number;
  readonly #known = new WeakMap<
    ManagedBackend,
    { readonly version: number; readonly health: Promise<BackendHealth>; askedAtMs: number }
  >();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Never throws. */
  of(backend: ManagedBackend): Promise<BackendHealth> {
    const nowMs = performance.now();
    const known = this.#known.get(backend);
    const isFresh = known !== undefined && known.version === backend.version && nowMs - known.askedAtMs < freshMs;
    if (isFresh && backend.breaker.state === 'closed') return known.health;
    const health = this.#ask(backend);
    this.#known.set(backend, { version: backend.version, health, askedAtMs: nowMs });
    return health;
  }

  async #ask(backend: ManagedBackend): Promise<BackendHealth> {
    const deadline = new AbortController();
    const late = new HoldfastError('unavailable', `It did not answer within ${this.#timeoutMs / 1_000} s.`);
    const timer = setTimeout(() => deadline.abort(late), this.#timeoutMs);
    try {
      const { detail, freeBytes, totalBytes } = await backend.backend.health(deadline.signal);
      return { isHealthy: true, detail, freeBytes, totalBytes, checkedAtMs: Date.now() };
    } catch (error) {
      const detail = toErrorData(error).message;
      return { isHealthy: false, detail, freeBytes: null, totalBytes: null, checkedAtMs: Date.now() };
    } finally {
      clearTimeout(timer);
    }
  }
}
