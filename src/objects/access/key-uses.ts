import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { noteKeyUse } from './changing/note-key-use.ts';

/** How exact the time of a key's last use is: one write a key in this time, however many requests come. */
const everyMs = 60_000;
const keysMax = 10_000;

/** Notes when keys are used, so that those that are not can be found and revoked. */
export class KeyUses {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #notedAtMs = new Map<string, number>();
  readonly #writing = new Set<Promise<void>>();

  constructor(store: Store, clock: Clock, onError: (error: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Notes that a request with a right signature came. Costs nothing most of the time, and is never waited for. */
  note(accessKey: string): void {
    const usedAtMs = this.#clock.nowMs();
    const notedAtMs = this.#notedAtMs.get(accessKey);
    if (notedAtMs !== undefined && Math.abs(usedAtMs - notedAtMs) < everyMs) return;
    this.#notedAtMs.delete(accessKey);
    this.#notedAtMs.set(accessKey, usedAtMs);
    if (this.#notedAtMs.size > keysMax) this.#notedAtMs.delete(this.#notedAtMs.keys().next().value!);
    const writing = this.#store.write(noteKeyUse, { accessKey, usedAtMs }).catch(this.#onError);
    this.#writing.add(writing);
    void writing.finally(() => this.#writing.delete(writing));
  }

  /** Waits for what is being written. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing);
  }
}
