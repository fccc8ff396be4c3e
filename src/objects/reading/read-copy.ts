import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { type ByteRange, type Content, chunksOf } from '../content/content.ts';
import { objectError } from '../errors.ts';
import type { Copy } from '../object.ts';

/** A copy that was opened: its first bytes have come. */
export interface OpenCopy {
  readonly content: Content;
  cancel(): void;
}

export interface ReadCopyOptions {
  readonly registry: ObjectBackendRegistry;
  readonly signal: AbortSignal;
  /** Told of a copy that is not what the ledger says. */
  onBadCopy(copy: Copy, reason: string): void;
}

/**
 * Opens the best of several copies for reading `range` of their bytes (`null`: all). Goes on to the next one as long as no
 * byte was given out. The whole is verified by its checksum before its last bytes are given out; a range by its length.
 * Throws `ServiceUnavailable` when none can be read.
 */
export async function readCopy(
  copies: readonly Copy[],
  range: ByteRange | null,
  options: ReadCopyOptions,
): Promise<OpenCopy> {
  let lastError: unknown = null;
  for (const { copy, known } of bestFirst(copies, options.registry)) {
    try {
      return await openCopy(copy, known, range, options);
    } catch (error) {
      options.signal.throwIfAborted();
      lastError = error;
    }
  }
  const message = lastError instanceof Error ? ` ${lastError.message}` : '';
  throw objectError('ServiceUnavailable', {}, `No copy of the object can be read now; try again.${message}`);
}

/** Copies whose backend is let through, quick ones first; the others last, since the alternative is an error. */
function bestFirst(
  copies: readonly Copy[],
  registry: ObjectBackendRegistry,
): readonly { readonly copy: Copy; readonly known: KnownBackend }[] {
  const placed: { copy: Copy; known: KnownBackend }[] = [];
  for (const copy of copies) {
    const known = registry.get(copy.backend);
    if (known !== null) placed.push({ copy, known });
  }
  if (placed.length < 2) return placed;
  const rank = ({ known }: { known: KnownBackend }) =>
    (known.isOpenFor('read') ? 0 : 1e9) +
    (known.isOver('egress') || known.isOver('requests') ? 1e6 : 0) +
    known.latencyMs;
  return placed.sort((a, b) => rank(a) - rank(b));
}

async function openCopy(
  copy: Copy,
  known: KnownBackend,
  range: ByteRange | null,
  options: ReadCopyOptions,
): Promise<OpenCopy> {
  const wanted = range ?? { offset: 0, length: copy.sizeBytes };
  if (wanted.length === 0) return { content: Buffer.alloc(0), cancel: () => {} };
  const bad = (reason: string) => {
    options.onBadCopy(copy, reason);
    return new HoldfastError('backend', `The copy on ${copy.backend} is not what was written: ${reason}.`);
  };
  const blob = await known.backend.get(copy.storageKey, wanted, options.signal);
  if (blob === null) throw bad('it is not there');
  // What stands behind the object's own bytes is its description.
  if (blob.sizeBytes <= copy.sizeBytes) {
    blob.cancel();
    throw bad('it is too short');
  }
  const isWhole = wanted.length === copy.sizeBytes;
  if (Buffer.isBuffer(blob.content)) {
    if (blob.content.length !== wanted.length) throw bad('too few bytes came');
    if (isWhole && crc32(blob.content) !== copy.crc32) throw bad('its checksum is wrong');
    return { content: blob.content, cancel: () => {} };
  }
  const verified = verify(blob.content, wanted.length, isWhole ? copy.crc32 : null, bad);
  return startReading(verified, () => blob.cancel());
}

/** Waits for the first bytes, so that a copy that breaks at once can be left for another. */
async function startReading(chunks: AsyncGenerator<Buffer>, cancel: () => void): Promise<OpenCopy> {
  const first = await chunks.next();
  async function* all(): AsyncGenerator<Buffer> {
    try {
      if (first.done !== true) yield first.value;
      yield* chunks;
    } finally {
      cancel();
    }
  }
  return { content: all(), cancel };
}

/** Gives a chunk out when the next one has come, so that the last one is kept back until all of them were verified. */
async function* verify(
  content: Content,
  length: number,
  checksum: number | null,
  bad: (reason: string) => Error,
): AsyncGenerator<Buffer> {
  let countBytes = 0;
  let sum = 0;
  let held: Buffer | null = null;
  for await (const chunk of chunksOf(content)) {
    if (held !== null) yield held;
    countBytes += chunk.length;
    if (countBytes > length) throw bad('too many bytes came');
    if (checksum !== null) sum = crc32(chunk, sum);
    held = chunk;
  }
  if (countBytes !== length) throw bad('too few bytes came');
  if (checksum !== null && sum !== checksum) throw bad('its checksum is wrong');
  if (held !== null) yield held;
}
