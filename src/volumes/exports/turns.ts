import { HoldfastError } from '../../kernel/errors/errors.ts';

/** Lets calls of one name run one after the other. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** @throws HoldfastError `unavailable` when the signal aborts before its turn has come. */
  async take<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const turn = before.then(() => done);
    this.#last.set(name, turn);
    void turn.then(() => this.#last.get(name) === turn && this.#last.delete(name));
    try {
      await beforeAbort(before, signal);
      return await work();
    } finally {
      finish();
    }
  }
}

function beforeAbort(turn: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const sentence = 'The deadline passed while other changes of exports were going on; nothing was done.';
      reject(new HoldfastError('unavailable', sentence));
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void turn.then(resolve).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
