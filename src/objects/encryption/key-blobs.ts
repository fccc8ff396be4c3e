import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import type { WrappedKek } from './data-key.ts';

/** What stands for itself on a backend, and on no books: no bucket has a name that begins with a dot. */
export const ownPrefix = '.holdfast/';
/** Where wrapped keys stand on a backend. */
export const keyBlobPrefix = `${ownPrefix}keys/`;
const callTimeoutMs = 30_000;
const pageSize = 1_000;
const pagesMax = 100;
const blobBytesMax = 16_384;

/**
 * Puts wrapped keys on every backend, so that what is encrypted there can be read without the ledger by whoever has the root
 * key; and removes what was wrapped by a root key before, once the new one stands. Gives how many blobs it wrote.
 */
export async function keepKeyBlobs(
  registry: ObjectBackendRegistry,
  keks: readonly WrappedKek[],
  signal: AbortSignal,
  onError: (error: unknown, about: string) => void,
): Promise<number> {
  let written = 0;
  await Promise.all(
    registry.all.map(async (known) => {
      try {
        written += await keepOn(known, keks, signal);
      } catch (error) {
        onError(error, `encryption keys were not put on the backend ${known.name}`);
      }
    }),
  );
  return written;
}

/** What a key wants of a backend. */
export interface KeyBlobChange {
  readonly key: string;
  /** What is written there; `null` where it stands. */
  readonly content: Buffer | null;
  /** The same key as a root key wrapped it that may be known to others by now. */
  readonly former: readonly string[];
}

/** What is to be written and removed on a backend for keys to stand there. Only lists. */
export async function keyBlobChanges(
  { backend }: KnownBackend,
  keks: readonly WrappedKek[],
  signal: AbortSignal,
): Promise<KeyBlobChange[]> {
  const limits = () => AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
  const standing = new Set<string>();
  for await (const key of listKeyBlobs(backend, limits)) standing.add(key);
  return keks.map((kek) => {
    const key = placeOf(kek);
    const text = JSON.stringify({ id: kek.id, root: kek.rootKeyId, wrapped: kek.wrapped });
    const former = [...standing].filter((one) => one.startsWith(`${keyBlobPrefix}${kek.id}.`) && one !== key);
    return { key, content: standing.has(key) ? null : Buffer.from(text), former };
  });
}

async function keepOn(known: KnownBackend, keks: readonly WrappedKek[], signal: AbortSignal): Promise<number> {
  const { backend } = known;
  const limits = () => AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
  let written = 0;
  for (const { key, content, former } of await keyBlobChanges(known, keks, signal)) {
    if (content !== null) {
      // An attempt that was cut off may have left a part of it.
      await backend.delete(key, limits());
      await backend.put(key, content, { sizeBytes: content.length, signal: limits() });
      written++;
    }
    for (const one of former) await backend.delete(one, limits());
  }
  return written;
}

/** Keys that stand on a backend, for rebuilding a ledger. What is no key of ours is passed over. */
export async function* readKeyBlobs({ backend }: KnownBackend, signal: AbortSignal): AsyncGenerator<WrappedKek> {
  const limits = () => AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
  for await (const key of listKeyBlobs(backend, limits)) {
    const blob = await backend.get(key, null, limits());
    if (blob === null) continue;
    if (blob.sizeBytes > blobBytesMax) {
      blob.cancel();
      continue;
    }
    const pieces: Buffer[] = [];
    for await (const chunk of chunksOf(blob.content)) pieces.push(chunk);
    const kek = parse(Buffer.concat(pieces).toString());
    if (kek !== null) yield kek;
  }
}

async function* listKeyBlobs(backend: KnownBackend['backend'], limits: () => AbortSignal): AsyncGenerator<string> {
  let after: string | undefined;
  for (let count = 0; count < pagesMax; count++) {
    const wish = { prefix: keyBlobPrefix, limit: pageSize, ...(after === undefined ? {} : { after }) };
    const page = await backend.list(wish, limits());
    for (const { key } of page.blobs) yield key;
    if (!page.isTruncated) return;
    after = page.blobs.at(-1)!.key;
  }
}

/** A wrapping anew is another blob: one that is written never changes. */
function placeOf({ id, rootKeyId, wrapped }: WrappedKek): string {
  const version = /^vault:(v\d+):/.exec(wrapped)?.[1];
  return `${keyBlobPrefix}${id}.${rootKeyId}${version === undefined ? '' : `.${version}`}`;
}

function parse(text: string): WrappedKek | null {
  try {
    const { id, root, wrapped } = JSON.parse(text) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof root !== 'string' || typeof wrapped !== 'string') return null;
    return { id, rootKeyId: root, wrapped };
  } catch {
    return null;
  }
}
