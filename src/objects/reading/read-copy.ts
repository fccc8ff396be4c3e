import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { type ByteRange, type Content, chunksOf } from '../content/content.ts';
import { objectError } from '../errors.ts';
import { planReading } from '../content/decode-body.ts';
import { plainForm } from '../content/form.ts';
import type { CustomerKey } from '../encryption/data-key.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import type { Copy } from '../object.ts';
import type { ContentCache } from './cache.ts';
import { Hedging } from './hedge.ts';

/** A copy that was opened: its first bytes have come. */
export interface OpenCopy {
  readonly content: Content;
  cancel(): void;
}

export interface ReadCopyOptions {
  readonly registry: ObjectBackendRegistry;
  readonly signal: AbortSignal;
  readonly encryption: ObjectEncryption;
  /** For what was encrypted with it. */
  readonly customerKey?: CustomerKey | undefined;
  /** Shared by all reads, so that it can bound the share that is hedged. */
  readonly hedging?: Hedging | undefined;
  /** Absent: every read asks a backend. */
  readonly cache?: ContentCache | undefined;
  /** Told of a copy that is not what the ledger says. */
  onBadCopy(copy: Copy, reason: string): void;
}

/**
 * Opens the best of several copies for reading `range` of their bytes (`null`: all). Goes on to the next one as long as no
 * byte was given out. The whole is verified by its checksum before its last bytes are given out. A range, and all that is
 * encrypted, is read in the chunks that it lies in, and each is verified before any byte of it is given out: chunks of plain
 * bytes by their checksums, compressed ones by those in their frames. What is longer than a chunk has no such checksums where an
 * earlier release wrote it plain or compressed, or others did: ranges of it are verified by their length alone, and damage in it
 * is for the scrubber to find. Throws `ServiceUnavailable` when none can be read, and what {@link ObjectEncryption.open} throws.
 */
export async function readCopy(
  copies: readonly Copy[],
  range: ByteRange | null,
  options: ReadCopyOptions,
): Promise<OpenCopy> {
  const { registry, signal, cache, hedging = new Hedging() } = options;
  const kept = cache?.find(copies, range) ?? null;
  if (kept !== null) return { content: kept, cancel: () => {} };
  let lastError: unknown = null;
  const key = await dataKeyOf(copies, options);
  const opened = await hedging.open(
    bestFirst(copies, registry),
    ({ copy, known }, inside) => openCopy(copy, known, range, { ...options, key, signal: inside }),
    signal,
    (error) => (lastError = error),
  );
  if (opened !== null) return range === null && cache !== undefined ? cache.keep(copies[0]!, opened) : opened;
  const message = lastError instanceof Error ? ` ${lastError.message}` : '';
  throw objectError('ServiceUnavailable', {}, `No copy of the object can be read now; try again.${message}`);
}

/** All copies of a part have the same form, and so the same data key. */
async function dataKeyOf(
  copies: readonly Copy[],
  { encryption, customerKey }: ReadCopyOptions,
): Promise<Buffer | null> {
  const [copy] = copies;
  const sealed = copy?.form?.sealed ?? null;
  return sealed === null ? null : encryption.open(sealed, copy!, customerKey);
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
    (known.reads?.costMs ?? 0);
  // Of those that are alike the one that was a little quicker.
  return placed.sort((a, b) => rank(a) - rank(b) || a.known.latencyMs - b.known.latencyMs);
}

async function openCopy(
  copy: Copy,
  known: KnownBackend,
  range: ByteRange | null,
  options: ReadCopyOptions & { readonly key: Buffer | null },
): Promise<OpenCopy> {
  const wanted = range ?? { offset: 0, length: copy.sizeBytes };
  if (wanted.length === 0) return { content: Buffer.alloc(0), cancel: () => {} };
  const bad = (reason: string) => {
    options.onBadCopy(copy, reason);
    return new HoldfastError('backend', `The copy on ${copy.backend} is not what was written: ${reason}.`);
  };
  const form = copy.form ?? plainForm(copy);
  const reading = planReading(form, copy, options.key, wanted);
  const bodyRange = reading?.range ?? wanted;
  const blob = await known.backend.get(copy.storageKey, bodyRange, options.signal);
  if (blob === null) throw bad('it is not there');
  if (blob.sizeBytes !== copy.storedBytes) {
    blob.cancel();
    throw bad(blob.sizeBytes < copy.storedBytes ? 'it is too short' : 'it is too long');
  }
  const isWhole = bodyRange.length === form.bodyBytes;
  const checksum = isWhole && reading?.isProven !== true ? form.crc32 : null;
  if (Buffer.isBuffer(blob.content)) {
    if (blob.content.length !== bodyRange.length) throw bad('too few bytes came');
    if (checksum !== null && crc32(blob.content) !== checksum) throw bad('its checksum is wrong');
    const content = reading === null ? blob.content : reading.decode(blob.content, bad);
    return { content, cancel: () => {} };
  }
  const verified = verify(blob.content, bodyRange.length, checksum, bad);
  const own = reading === null ? verified : chunksOf(reading.decode(verified, bad));
  return startReading(own, () => blob.cancel());
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
