import { crc32 } from 'node:zlib';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { chunksOf } from '../content/content.ts';
import { claimRoom } from '../ledger/claim.ts';
import { joinCopy } from '../ledger/copies.ts';
import { abandonWrite } from '../ledger/intents.ts';
import type { Copy } from '../object.ts';
import type { CapacityView } from '../writing/capacity.ts';

export interface ReplicateOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly capacity: CapacityView;
  readonly newId: IdSource;
  readonly clock: Clock;
  owner(): string;
}

/** A copy with the bytes that it takes on a backend. */
export type StoredCopy = Copy & { readonly storedBytes: number };

/**
 * Makes one more copy of a part, by carrying the stored bytes over as they are. They are verified on the way, and the copy
 * counts only once it is committed. Throws when no backend takes it, and what reading or writing throws.
 */
export async function replicate(
  options: ReplicateOptions,
  copies: readonly StoredCopy[],
  target: { readonly bucket: string; readonly settings: BucketSettings },
  signal: AbortSignal,
): Promise<void> {
  const { store, registry, capacity, newId, clock, owner } = options;
  const source = copies.find(({ backend }) => registry.get(backend)?.isOpenFor('read') === true) ?? copies[0];
  if (source === undefined) throw new HoldfastError('backend', 'There is no copy left to read from.');
  const holders = new Set(copies.map(({ backend }) => backend));
  const ranked = await capacity.rank(target.settings, source.storedBytes);
  const candidates = ranked.filter((name) => !holders.has(name));
  const writeId = newId('w');
  const storageKey = `${target.bucket}/${writeId}`;
  const { storedBytes, sizeBytes, contentId, part } = source;
  const claim = {
    writeId,
    storageKey,
    storedBytes,
    sizeBytes,
    candidates,
    count: 1,
    owner: owner(),
    nowMs: clock.nowMs(),
  };
  const [backend] = candidates.length === 0 ? [] : await store.write(claimRoom, claim);
  if (backend === undefined) throw new HoldfastError('unavailable', 'No other backend takes a copy now.');
  try {
    const blob = await registry.get(source.backend)!.backend.get(source.storageKey, null, signal);
    if (blob === null) throw new HoldfastError('backend', `The copy on ${source.backend} is not there.`);
    try {
      const content = verified(chunksOf(blob.content), source);
      await registry.get(backend)!.backend.put(storageKey, content, { sizeBytes: storedBytes, signal });
    } finally {
      blob.cancel();
    }
    const written = { contentId, part, sizeBytes, crc32: source.crc32 };
    await store.write(joinCopy, { written, writeId, backend, nowMs: clock.nowMs() });
  } catch (error) {
    await store.write(abandonWrite, { writeId, reason: 'failed write', nowMs: clock.nowMs() });
    throw error;
  }
}

/** Passes a blob on and breaks it off when the object's own bytes in it are not what the ledger says. */
async function* verified(chunks: AsyncIterable<Buffer>, source: StoredCopy): AsyncGenerator<Buffer> {
  let countBytes = 0;
  let sum = 0;
  for await (const chunk of chunks) {
    const own = chunk.subarray(0, Math.max(0, source.sizeBytes - countBytes));
    if (own.length > 0) sum = crc32(own, sum);
    countBytes += chunk.length;
    if (countBytes >= source.sizeBytes && sum !== source.crc32) {
      throw new HoldfastError('backend', `The copy on ${source.backend} is damaged: its checksum is wrong.`);
    }
    yield chunk;
  }
}
