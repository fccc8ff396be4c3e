import { HoldfastError, toErrorData } from '../../kernel/errors/errors.ts';
import { isStoreTrouble } from '../../kernel/store/store.ts';
import type { OpenBlob } from '../backends/backend.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { PassedBlob, checkCopy } from '../checking/check-copy.ts';
import type { Copy } from '../object.ts';
import { chunksOf, smallContentBytes } from './content.ts';
import type { LentBuffers } from './lent-buffers.ts';

type Place = Pick<KnownBackend, 'name' | 'backend'>;

export interface CarryBlob {
  readonly from: Place;
  readonly to: Place;
  readonly source: Copy;
  /** Under which it will stand. */
  readonly storageKey: string;
  /** Whether it is read back from where it was written. */
  readonly isReadBack: boolean;
  readonly signal: AbortSignal;
  readonly memory: LentBuffers;
}

/**
 * Carries the stored bytes of a copy to another backend as they are, and verifies them on the way. Throws `backend` when
 * they are not what the ledger says, and what reading or writing throws: with `to` as `details.target` when that one is to
 * blame.
 */
export async function carryBlob({
  from,
  to,
  source,
  storageKey,
  isReadBack,
  signal,
  memory,
}: CarryBlob): Promise<void> {
  const isSmall = source.storedBytes <= smallContentBytes;
  const lent = memory.lend(source.storedBytes);
  // Chunks of what is not small are on their way into the target when the next is asked for.
  const blob = await from.backend.get(source.storageKey, null, signal, isSmall ? lent : undefined);
  if (blob === null) throw new HoldfastError('backend', `The copy on ${from.name} is not there.`);
  const stream = isSmall ? null : new Watched(verified(chunksOf(blob.content), from.name, source));
  try {
    const content = stream?.chunks() ?? (await wholeOf(blob, from.name, source));
    await delivered(to, stream, signal, async () => {
      await to.backend.put(storageKey, content, { sizeBytes: source.storedBytes, signal });
      // The place of this read is given back before the next one asks for one: else all would wait for one another.
      blob.cancel();
      if (isReadBack) await readBack(to, { ...source, storageKey }, signal, lent);
    });
  } finally {
    blob.cancel();
  }
  // Whatever failed may still be reading into it.
  memory.giveBack(lent);
}

/** Says of what goes wrong that the target is to blame, unless it was the content that broke. */
async function delivered(
  to: Place,
  stream: Watched | null,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (stream?.isBroken === true || signal.aborted || isStoreTrouble(error)) throw error;
    const { kind, message, details } = toErrorData(error);
    throw new HoldfastError(kind, message, { ...details, target: to.name }, error);
  }
}

/**
 * A small blob in one buffer, verified: a stream costs more than its bytes. What keeps the blob open is left to its
 * `cancel`, so that whoever bounds how much is read at once bounds what is written too.
 */
async function wholeOf(blob: OpenBlob, place: string, source: Copy): Promise<Buffer> {
  const passed = new PassedBlob(source);
  const pieces: Buffer[] = [];
  const chunks = chunksOf(blob.content);
  let bytes = 0;
  while (bytes < source.storedBytes || blob.sizeBytes > source.storedBytes) {
    const next = await chunks.next();
    if (next.done === true) break;
    passed.add(next.value);
    bytes += next.value.length;
    if (bytes > source.storedBytes) break;
    pieces.push(next.value);
  }
  requireGood(passed, place);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

function requireGood(passed: PassedBlob, place: string): void {
  const reason = passed.wrong();
  if (reason !== null) throw new HoldfastError('backend', `The copy on ${place} is damaged: ${reason}.`);
}

async function readBack(
  { name, backend }: Place,
  copy: Copy,
  signal: AbortSignal,
  into: Buffer | undefined,
): Promise<void> {
  const found = await checkCopy(backend, copy, { signal, into });
  if (found.verdict === 'good') return;
  throw new HoldfastError(
    'backend',
    `${name} took a copy, and what it gives is not what was written: ${found.reason}.`,
  );
}

/** Passes content on, and knows whether it is the content that broke when something does. */
class Watched {
  readonly #chunks: AsyncIterable<Buffer>;
  isBroken = false;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    this.isBroken = true;
    for await (const chunk of this.#chunks) {
      this.isBroken = false;
      yield chunk;
      this.isBroken = true;
    }
    this.isBroken = false;
  }
}

/**
 * Passes a blob on and breaks it off before its end when it is not what the ledger says, its description included; that takes
 * no key.
 */
async function* verified(chunks: AsyncIterable<Buffer>, place: string, source: Copy): AsyncGenerator<Buffer> {
  const passed = new PassedBlob(source);
  let held: Buffer | null = null;
  for await (const chunk of chunks) {
    passed.add(chunk);
    if (held !== null) yield held;
    held = chunk;
  }
  requireGood(passed, place);
  if (held !== null) yield held;
}
