import type { ObjectBackend } from '../backends/backend.ts';
import { type Content, chunksOf } from '../content/content.ts';
import { type BlobDescription, descriptionBytes, encodeDescription } from '../content/description.ts';
import { Fanout } from '../content/fanout.ts';
import { type ContentDigests, ContentHasher } from '../content/hasher.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent } from '../gateway.ts';

/** The bytes of one write on their way to its backends. */
export interface Delivery {
  /** Resolves when as many copies stand as are needed; rejects when that cannot be any more, or the content is wrong. */
  readonly enough: Promise<ContentDigests>;
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

export interface DeliveryOptions {
  readonly incoming: IncomingContent;
  /** Of a content in one buffer, which was hashed before room was claimed for it; `null` for a stream. */
  readonly digests: ContentDigests | null;
  readonly description: BlobDescription;
  readonly storageKey: string;
  readonly needed: number;
  readonly stallMs: number;
  readonly backends: readonly { readonly name: string; readonly backend: ObjectBackend }[];
}

/** Sends a content, followed by its description, to all backends at once while it is hashed. */
export function deliver(options: DeliveryOptions): Delivery {
  const { incoming, description, storageKey, backends, needed } = options;
  const sizeBytes = description.sizeBytes + descriptionBytes(description);
  // Ends with the client while the client's bytes come; after the acknowledgement only by `abort`.
  const control = new AbortController();
  const onClientGone = () => control.abort(incoming.signal.reason);
  if (incoming.signal.aborted) onClientGone();
  else incoming.signal.addEventListener('abort', onClientGone, { once: true });

  const source = prepare(options);
  const state = new Map<string, 'kept' | 'failed'>();
  const puts = new Map<string, Promise<boolean>>();
  const enough = new Promise<ContentDigests>((resolve, reject) => {
    let firstError: unknown = null;
    const settle = async () => {
      const count = (wanted: string) => [...state.values()].filter((one) => one === wanted).length;
      if (count('kept') >= needed) {
        incoming.signal.removeEventListener('abort', onClientGone);
        source.digests.then(resolve, reject);
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
    isRepeatable: () => options.digests !== null,
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
  readonly digests: Promise<ContentDigests>;
  /** The content's own error if it has one, else the given one. */
  fault(other: unknown): Promise<unknown>;
}

function prepare(options: DeliveryOptions): Source {
  const { incoming, description, digests } = options;
  if (digests === null) return prepareStream(chunksOf(incoming.content), options);
  const blob = Buffer.concat([incoming.content as Buffer, encodeDescription(description, digests)]);
  return {
    content: () => blob,
    giveUp: () => {},
    digests: Promise.resolve(digests),
    fault: async (other) => other,
  };
}

/**
 * A stream is hashed as it passes. Its description follows only when its digests are what the client announced: a wrong
 * content breaks the stream before its end, and no backend takes a stream that breaks.
 */
function prepareStream(
  content: AsyncIterable<Buffer>,
  { incoming, description, backends, needed, stallMs }: DeliveryOptions,
): Source {
  let settle: { resolve(digests: ContentDigests): void; reject(error: unknown): void };
  const digests = new Promise<ContentDigests>((resolve, reject) => (settle = { resolve, reject }));
  digests.catch(() => {});
  let ownFault: { readonly error: unknown } | null = null;
  async function* hashed(): AsyncGenerator<Buffer> {
    const hasher = new ContentHasher(incoming);
    let countBytes = 0;
    try {
      for await (const chunk of content) {
        countBytes += chunk.length;
        if (countBytes > incoming.sizeBytes)
          throw objectError('IncompleteBody', {}, 'More bytes came than were announced.');
        hasher.update(chunk);
        yield chunk;
      }
      if (countBytes !== incoming.sizeBytes) throw objectError('IncompleteBody');
      const found = hasher.finish();
      settle.resolve(found);
      yield encodeDescription(description, found);
    } catch (error) {
      ownFault = { error };
      settle.reject(error);
      throw error;
    }
  }
  const fault = async (other: unknown) => (ownFault === null ? other : ownFault.error);
  if (backends.length === 1) return { content: hashed, giveUp: () => {}, digests, fault };
  const fanout = new Fanout({ readers: backends.length, needed, stallMs });
  fanout.pump(hashed()).catch(() => {});
  return { content: (index) => fanout.reader(index), giveUp: (index) => fanout.giveUp(index), digests, fault };
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
