import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { passed } from '../image-rules.ts';

const WAITING_MAX = 1000;

/** Runs the changes of one image one after another; those of different images do not wait for each other. */
export class Lanes {
  readonly #lanes = new Map<string, { tail: Promise<void>; waiting: number }>();

  /** Runs `work` when it is its turn. Throws `unavailable` when the deadline comes first, or too many wait already. */
  async run<T>(image: string, verb: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(image) ?? { tail: Promise.resolve(), waiting: 0 };
    if (lane.waiting >= WAITING_MAX) {
      throw new HoldfastError('unavailable', `Too many changes of image ${image} wait for each other.`);
    }
    this.#lanes.set(image, lane);
    lane.waiting++;
    const turn = lane.tail;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    lane.tail = turn.then(() => ended);
    try {
      await unlessPassed(turn, verb, signal);
      return await work();
    } finally {
      end();
      lane.waiting--;
      if (lane.waiting === 0) this.#lanes.delete(image);
    }
  }

  /** How many images have changes under way. */
  get size(): number {
    return this.#lanes.size;
  }
}

async function unlessPassed(turn: Promise<void>, verb: string, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(passed(verb));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
