import assert from 'node:assert/strict';
import type { World } from './world.ts';

/** One thing that the gateway must do, told as it would be told of S3. */
export interface Case {
  readonly name: string;
  run(world: World): Promise<void>;
}

export function acceptanceCase(name: string, run: (world: World) => Promise<void>): Case {
  return { name, run };
}

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The error of a call of the SDK, which must have this code and, where it is given, this status. */
export async function refusal(call: Promise<unknown>, code: string, status?: number): Promise<SdkError> {
  const error = await call.then(
    () => assert.fail(`${code} was expected, and it succeeded`),
    (reason: unknown) => reason as SdkError,
  );
  assert.equal(error.name, code, error.message);
  if (status !== undefined) assert.equal(error.$metadata?.httpStatusCode, status);
  return error;
}

/** Bytes that look like nothing, the same each time for one seed. */
export function bytesOf(length: number, seed = 1): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let state = seed * 2_654_435_761 + 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    buffer[index] = state >>> 24;
  }
  return buffer;
}

export const mebibyte = 1024 * 1024;
/** The least size of a part that is not the last. */
export const partBytesMin = 5 * mebibyte;

/** Does this with each item, at most `atOnce` of them at a time. The first error ends it. */
export async function withEach<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Numbers the pages of a listing, and fails at one more than there can be: a listing must end. */
export function* pageNumbers(pagesMax = 200): Generator<number> {
  for (let page = 0; page < pagesMax; page++) yield page;
  assert.fail(`the listing does not end after ${pagesMax} pages`);
}
