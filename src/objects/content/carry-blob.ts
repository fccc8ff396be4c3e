import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ObjectBackend } from '../backends/backend.ts';
import type { Copy } from '../object.ts';
import { chunksOf } from './content.ts';
import { bodyOf } from './form.ts';

export interface CarryBlob {
  readonly from: ObjectBackend;
  readonly to: ObjectBackend;
  readonly source: Copy;
  /** Under which it will stand. */
  readonly storageKey: string;
  /** Whether it is read back from where it was written. */
  readonly isReadBack: boolean;
  readonly signal: AbortSignal;
}

/**
 * Carries the stored bytes of a copy to another backend as they are, and verifies them on the way. Throws `backend` when
 * they are not what the ledger says, and what reading or writing throws.
 */
export async function carryBlob({ from, to, source, storageKey, isReadBack, signal }: CarryBlob): Promise<void> {
  await withVerified(from, source, source.storageKey, signal, (content) =>
    to.put(storageKey, content, { sizeBytes: source.storedBytes, signal }),
  );
  if (!isReadBack) return;
  await withVerified(to, source, storageKey, signal, async (content) => {
    for await (const chunk of content) void chunk;
  });
}

async function withVerified(
  backend: ObjectBackend,
  source: Copy,
  storageKey: string,
  signal: AbortSignal,
  use: (content: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const blob = await backend.get(storageKey, null, signal);
  if (blob === null) throw new HoldfastError('backend', `The blob ${storageKey} is not there.`);
  try {
    await use(verified(chunksOf(blob.content), source));
  } finally {
    blob.cancel();
  }
}

/** Passes a blob on and breaks it off when the body in it is not what the ledger says; that takes no key. */
async function* verified(chunks: AsyncIterable<Buffer>, source: Copy): AsyncGenerator<Buffer> {
  const body = bodyOf(source);
  let countBytes = 0;
  let sum = 0;
  for await (const chunk of chunks) {
    const own = chunk.subarray(0, Math.max(0, body.bytes - countBytes));
    if (own.length > 0) sum = crc32(own, sum);
    countBytes += chunk.length;
    if (countBytes >= body.bytes && sum !== body.crc32) {
      throw new HoldfastError('backend', `The copy ${source.storageKey} is damaged: its checksum is wrong.`);
    }
    yield chunk;
  }
  if (countBytes !== source.storedBytes) {
    throw new HoldfastError(
      'backend',
      `The copy ${source.storageKey} has ${countBytes} bytes, not ${source.storedBytes}.`,
    );
  }
}
