import { crc32 } from 'node:zlib';
import type { ObjectBackend } from '../backends/backend.ts';
import { ChunkSums } from '../content/chunk-sums.ts';
import { type Content, chunksOf } from '../content/content.ts';
import { type BlobDescription, encodeDescription } from '../content/description.ts';
import { type Encoding, draftForm, encodeStream } from '../content/encode-body.ts';
import { Fanout } from '../content/fanout.ts';
import type { StoredForm } from '../content/form.ts';
import { type ContentDigests, ContentHasher } from '../content/hasher.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent } from '../gateway.ts';

/** What was learned of a content and of its body. */
export interface Delivered extends ContentDigests {
  readonly form: StoredForm | null;
}

/** The bytes of one write on their way to its backends. */
export interface Delivery {
  /** Resolves when as many copies stand as are needed; rejects when that cannot be any more, or the content is wrong. */
  readonly enough: Promise<Delivered>;
  /** Whether the content can be sent once more. */
  isRepeatable(): boolean;
  all(): string[];
  kept(): string[];
  failed(): string[];
  /** Whether the copy on a backend stands, when that is known. */
  ended(backend: string): Promise<boolean>;
  /** Stops what is still under way. */
  abort(): void;
}

/** A content in one buffer, ready to be sent to any backend, again and again. */
export interface WholeBody {
  readonly body: Buffer;
  readonly delivered: Delivered;
}

export interface DeliveryOptions {
  readonly incoming: IncomingContent;
  /** Of a content in one buffer, which was hashed and laid down before room was claimed for it; `null` for a stream. */
  readonly whole: WholeBody | null;
  readonly description: BlobDescription;
  readonly encoding: Encoding;
  /** How long body and description are together. */
  readonly storedBytes: number;
  readonly storageKey: string;
  readonly needed: number;
  readonly stallMs: number;
  readonly backends: readonly { readonly name: string; readonly backend: ObjectBackend }[];
}

/** Sends a content, followed by its description, to all backends at once while it is hashed. */
export function deliver(options: DeliveryOptions): Delivery {
  const { incoming, storageKey, backends, needed, storedBytes: sizeBytes } = options;
  // Ends with the client while the client's bytes come; after the acknowledgement only by `abort`.
  const control = new AbortController();
  const onClientGone = () => control.abort(incoming.signal.reason);
  if (incoming.signal.aborted) onClientGone();
  else incoming.signal.addEventListener('abort', onClientGone, { once: true });

  const source = prepare(options);
  const state = new Map<string, 'kept' | 'failed'>();
  const puts = new Map<string, Promise<boolean>>();
  const enough = new Promise<Delivered>((resolve, reject) => {
    let firstError: unknown = null;
    const settle = async () => {
      const count = (wanted: string) => [...state.values()].filter((one) => one === wanted).length;
      if (count('kept') >= needed) {
        incoming.signal.removeEventListener('abort', onClientGone);
        source.delivered.then(resolve, reject);
      } else if (backends.length - count('failed') < needed) {
        control.abort(firstError);
        // When the content itself is at fault, that is what the client must hear.
        reject(await source.fault(toUnavailable(firstError)));
      }
    };
    for (const [index, { name, backend }] of backends.entries()) {
      const put = backend
        .put(storageKey, source.content(index), { sizeBytes, signal: control.signal })
        .then(() => void state.set(name, 'kept'))
        .catch((error: unknown) => {
          firstError ??= error;
          state.set(name, 'failed');
          source.giveUp(index);
        })
        .then(settle)
        .then(() => state.get(name) === 'kept');
      puts.set(name, put);
    }
  });
  enough.catch(() => {}).finally(() => incoming.signal.removeEventListener('abort', onClientGone));
  const named = (wanted: string) => [...state].filter(([, one]) => one === wanted).map(([name]) => name);
  return {
    enough,
    isRepeatable: () => options.whole !== null,
    all: () => backends.map(({ name }) => name),
    kept: () => named('kept'),
    failed: () => named('failed'),
    ended: (backend) => puts.get(backend)!,
    abort: () => control.abort(objectError('ServiceUnavailable', {}, 'The write was given up.')),
  };
}

/** What backends read, and what was learned of it. */
interface Source {
  content(index: number): Content;
  giveUp(index: number): void;
  readonly delivered: Promise<Delivered>;
  /** The content's own error if it has one, else the given one. */
  fault(other: unknown): Promise<unknown>;
}

function prepare(options: DeliveryOptions): Source {
  const { incoming, description, encoding, whole } = options;
  if (whole === null) return prepareStream(chunksOf(incoming.content), options);
  const { body, delivered } = whole;
  const blob = Buffer.concat([body, encodeDescription(description, delivered, { form: delivered.form, ...encoding })]);
  return {
    content: () => blob,
    giveUp: () => {},
    delivered: Promise.resolve(delivered),
    fault: async (other) => other,
  };
}

/**
 * A stream is hashed as it passes, and laid down afterwards. Its description follows only when its digests are what the
 * client announced: a wrong content breaks the stream before its end, and no backend takes a stream that breaks.
 */
function prepareStream(content: AsyncIterable<Buffer>, options: DeliveryOptions): Source {
  const { incoming, description, encoding, backends, needed, stallMs } = options;
  let settle: { resolve(delivered: Delivered): void; reject(error: unknown): void };
  const delivered = new Promise<Delivered>((resolve, reject) => (settle = { resolve, reject }));
  delivered.catch(() => {});
  let ownFault: { readonly error: unknown } | null = null;
  const hasher = new ContentHasher(incoming);
  let digests: ContentDigests | null = null;
  async function* hashed(): AsyncGenerator<Buffer> {
    let countBytes = 0;
    for await (const chunk of content) {
      countBytes += chunk.length;
      if (countBytes > incoming.sizeBytes)
        throw objectError('IncompleteBody', {}, 'More bytes came than were announced.');
      hasher.update(chunk);
      yield chunk;
    }
    if (countBytes !== incoming.sizeBytes) throw objectError('IncompleteBody');
    digests = hasher.finish();
  }
  async function* described(): AsyncGenerator<Buffer> {
    try {
      const form = yield* laidDown(hashed(), options, () => digests!.crc32);
      const found = { ...digests!, form };
      settle.resolve(found);
      yield encodeDescription(description, found, { form, ...encoding });
    } catch (error) {
      ownFault = { error };
      settle.reject(error);
      throw error;
    }
  }
  const fault = async (other: unknown) => (ownFault === null ? other : ownFault.error);
  if (backends.length === 1) return { content: described, giveUp: () => {}, delivered, fault };
  const fanout = new Fanout({ readers: backends.length, needed, stallMs });
  fanout.pump(described()).catch(() => {});
  return { content: (index) => fanout.reader(index), giveUp: (index) => fanout.giveUp(index), delivered, fault };
}

/** Passes the body of a stream on; gives its form when it came to its end, and the checksum of the own bytes is known. */
async function* laidDown(
  own: AsyncIterable<Buffer>,
  { encoding, description }: DeliveryOptions,
  ownCrc32: () => number,
): AsyncGenerator<Buffer, StoredForm | null> {
  const draft = draftForm(encoding, description);
  if (draft === null) {
    yield* own;
    return null;
  }
  if (draft.sums !== null) {
    const sums = new ChunkSums(draft.sums.chunkBytes);
    for await (const chunk of own) {
      sums.add(chunk);
      yield chunk;
    }
    return { ...draft, crc32: ownCrc32(), sums: sums.finish() };
  }
  let sum = 0;
  for await (const chunk of encodeStream(own, encoding, draft, description)) {
    sum = crc32(chunk, sum);
    yield chunk;
  }
  return { ...draft, crc32: sum };
}

/** A backend's refusal is not the client's fault: it may try again. */
function toUnavailable(error: unknown): unknown {
  const kind = (error as { kind?: unknown } | null)?.kind;
  if (kind !== 'backend' && kind !== 'unavailable' && kind !== 'overloaded' && kind !== 'unsupported') return error;
  const details = (error as { details?: Record<string, unknown> }).details ?? {};
  if (details['reason'] === 'full')
    return objectError('InsufficientStorage', {}, 'A backend has no room left; try again.');
  const message = error instanceof Error ? error.message : String(error);
  return objectError('ServiceUnavailable', {}, `The write failed on a backend; try again. ${message}`);
}
