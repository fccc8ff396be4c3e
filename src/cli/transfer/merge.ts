import { HoldfastError } from '../../kernel/errors/errors.ts';

/** Something in a listing. */
export interface Listed {
  readonly key: string;
  readonly sizeBytes: number;
}

/** What is to be carried, with what stands under its key on the other side. */
export interface Pair<W extends Listed, S extends Listed> {
  readonly wanted: W;
  /** `null` when there is nothing. */
  readonly standing: S | null;
}

/**
 * Goes through two listings in step, so that what is there already is known without asking for each key. Throws `backend`
 * when one of them is not in byte order.
 */
export async function* paired<W extends Listed, S extends Listed>(
  wanted: AsyncIterable<W>,
  standing: AsyncIterable<S>,
): AsyncGenerator<Pair<W, S>> {
  const others = ordered(standing)[Symbol.asyncIterator]();
  let other = await others.next();
  try {
    for await (const one of ordered(wanted)) {
      while (other.done !== true && compareKeys(other.value.key, one.key) < 0) other = await others.next();
      const isSame = other.done !== true && other.value.key === one.key;
      yield { wanted: one, standing: isSame ? other.value! : null };
    }
  } finally {
    await others.return?.(undefined);
  }
}

async function* ordered<T extends Listed>(listing: AsyncIterable<T>): AsyncGenerator<T> {
  let last: string | null = null;
  for await (const one of listing) {
    if (last !== null && compareKeys(last, one.key) >= 0) {
      throw new HoldfastError('backend', `A listing is not in byte order: ${JSON.stringify(one.key.slice(0, 200))}.`);
    }
    last = one.key;
    yield one;
  }
}

function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
