import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import type { BlobFacts, ObjectBackend } from '../backends/backend.ts';
import { probePrefix } from '../backends/management/probe.ts';
import { ownPrefix } from '../encryption/key-blobs.ts';
import type { CopyRow } from '../tables.ts';

const pageSize = 1000;
const callTimeoutMs = 30_000;

/** A backend that is compared with the ledger. */
export interface ComparedBackend {
  readonly store: Store;
  readonly name: string;
  readonly backend: ObjectBackend;
  readonly signal: AbortSignal;
}

/** A storage key that one side has, or both. Both sides move while they are read: what differs is to be looked at again. */
export type Compared =
  | { readonly kind: 'unknown'; readonly key: string; readonly blob: BlobFacts }
  /** A trial of the backend, which is nobody's bytes, and the next moment gone unless it was cut off. */
  | { readonly kind: 'probe'; readonly key: string; readonly blob: BlobFacts }
  | { readonly kind: 'missing'; readonly key: string; readonly copy: CopyRow }
  | { readonly kind: 'both'; readonly key: string; readonly blob: BlobFacts; readonly copy: CopyRow };

/**
 * Goes through a backend's listing and the ledger's copies in step, in byte order of storage keys, from after a key on.
 * Throws `backend` when the listing is not in that order: past such a place everything would look missing and unknown.
 */
export async function* compare(options: ComparedBackend, from = ''): AsyncGenerator<Compared> {
  const listed = listing(options, from)[Symbol.asyncIterator]();
  const known = copies(options, from)[Symbol.asyncIterator]();
  let blob = await listed.next();
  let copy = await known.next();
  while (blob.done !== true || copy.done !== true) {
    const order =
      blob.done === true ? 1 : copy.done === true ? -1 : compareKeys(blob.value.key, copy.value.storage_key);
    if (order < 0) yield { kind: kindOf(blob.value!), key: blob.value!.key, blob: blob.value! };
    else if (order > 0) yield { kind: 'missing', key: copy.value!.storage_key, copy: copy.value! };
    else yield { kind: 'both', key: blob.value!.key, blob: blob.value!, copy: copy.value! };
    if (order <= 0) blob = await listed.next();
    if (order >= 0) copy = await known.next();
  }
}

/** What stands under the prefix of probes is never in the ledger. */
function kindOf({ key }: BlobFacts): 'probe' | 'unknown' {
  return key.startsWith(probePrefix) ? 'probe' : 'unknown';
}

async function* listing({ name, backend, signal }: ComparedBackend, from: string): AsyncGenerator<BlobFacts> {
  let after = from;
  for (;;) {
    const limits = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
    const page = await backend.list({ prefix: '', limit: pageSize, ...(after === '' ? {} : { after }) }, limits);
    for (const blob of page.blobs) {
      if (after !== '' && compareKeys(blob.key, after) <= 0) throw outOfOrder(name, after, blob.key);
      after = blob.key;
      // Wrapped keys and backups of the ledger stand for themselves. No bucket has their prefix as its name.
      if (!blob.key.startsWith(ownPrefix)) yield blob;
    }
    if (!page.isTruncated) return;
    if (page.blobs.length === 0) throw new HoldfastError('backend', `The backend ${name} lists pages without an end.`);
  }
}

function outOfOrder(name: string, before: string, key: string): HoldfastError {
  const shown = [before, key].map((one) => JSON.stringify(one.slice(0, 200)));
  const sentence = `The backend ${name} lists ${shown[1]} after ${shown[0]}, which is not the order of their bytes.`;
  return new HoldfastError('backend', `${sentence} It cannot be compared.`, { reason: 'out_of_order' });
}

async function* copies({ store, name }: ComparedBackend, from: string): AsyncGenerator<CopyRow> {
  let after = from;
  const statement = 'select * from copies where backend = ? and storage_key > ? order by storage_key limit ?';
  for (;;) {
    const rows = await store.read((reader) => reader.rows<CopyRow>(statement, [name, after, pageSize]));
    yield* rows;
    if (rows.length < pageSize) return;
    after = rows.at(-1)!.storage_key;
  }
}

function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const owned = `select 1 from (select storage_key from copies where backend = ? and storage_key = ?
  union all select storage_key from intents where backend = ? and storage_key = ?
  union all select storage_key from cleanup where backend = ? and storage_key = ?) owners limit 1`;

/**
 * Whether bytes belong to a copy, a write under way or a queued deletion. In one statement, since they pass from one of
 * these to the next in one transaction.
 */
export async function isOwned(reader: Reader, backend: string, storageKey: string): Promise<boolean> {
  const [row] = await reader.rows(owned, [backend, storageKey, backend, storageKey, backend, storageKey]);
  return row !== undefined;
}

/**
 * Looks again at a blob that the ledger did not know; `null` when it has an owner now, or is gone: its owner may have been
 * deleted since it was listed, and its bytes with it. A write has its intent before its bytes come, so that what is left is
 * an orphan however busy the gateway is.
 */
export async function stillUnknown(
  { store, name, backend, signal }: ComparedBackend,
  key: string,
): Promise<BlobFacts | null> {
  if (await store.read((reader) => isOwned(reader, name, key))) return null;
  const facts = await backend.head(key, AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
  return facts === null || (await store.read((reader) => isOwned(reader, name, key))) ? null : facts;
}

/** Looks again at a copy that was not listed; gives whether it is not there and the ledger still says that it is. */
export async function stillMissing(
  { store, name, backend, signal }: ComparedBackend,
  { storage_key: key }: CopyRow,
): Promise<boolean> {
  const facts = await backend.head(key, AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
  return facts === null && (await store.read((reader) => isCopy(reader, name, key)));
}

export async function isCopy(reader: Reader, backend: string, storageKey: string): Promise<boolean> {
  const statement = 'select 1 from copies where backend = ? and storage_key = ?';
  return (await reader.rows(statement, [backend, storageKey])).length > 0;
}
