import { crc32 } from 'node:zlib';
import type { Reader, Store } from '../../kernel/store/store.ts';
import type { ObjectBackend } from '../backends/backend.ts';
import { probePrefix } from '../backends/management/probe.ts';
import { chunksOf } from '../content/content.ts';
import { bodyOf } from '../content/form.ts';
import { keyBlobPrefix } from '../encryption/key-blobs.ts';
import { toCopy } from '../rows.ts';
import type { CopyRow } from '../tables.ts';
import type { Finding } from './report.ts';

const pageSize = 1000;
const callTimeoutMs = 30_000;

export interface CheckBackendOptions {
  readonly store: Store;
  readonly name: string;
  readonly backend: ObjectBackend;
  /** Whether the bytes themselves are read and compared. */
  readonly isDeep: boolean;
  readonly signal: AbortSignal;
}

export interface BackendFindings {
  readonly blobs: number;
  readonly findings: Finding[];
}

/**
 * Compares a backend's listing with what the ledger says stands there, in step, in byte order of storage keys. What differs
 * is looked at once more, since both sides move while they are read: a write has its intent before its bytes come, so a
 * blob without an owner is an orphan however busy the gateway is.
 */
export async function checkBackend(options: CheckBackendOptions): Promise<BackendFindings> {
  const { store, name, backend, isDeep } = options;
  const findings: Finding[] = [];
  let blobs = 0;
  const listed = listing(options)[Symbol.asyncIterator]();
  const known = copies(store, name)[Symbol.asyncIterator]();
  let blob = await listed.next();
  let copy = await known.next();
  while (blob.done !== true || copy.done !== true) {
    const order =
      blob.done === true ? 1 : copy.done === true ? -1 : compareKeys(blob.value.key, copy.value.storage_key);
    if (order <= 0) blobs++;
    if (order < 0) findings.push(...(await checkUnknown(options, blob.value!.key)));
    else if (order > 0) findings.push(...(await checkMissing(options, copy.value!)));
    else if (blob.value!.sizeBytes !== copy.value!.stored_bytes) findings.push(await wrongSize(options, copy.value!));
    else if (isDeep) findings.push(...(await checkBytes(backend, name, copy.value!, options.signal)));
    if (order <= 0) blob = await listed.next();
    if (order >= 0) copy = await known.next();
  }
  return { blobs, findings };
}

async function* listing({ backend, signal }: CheckBackendOptions) {
  let after: string | undefined;
  for (;;) {
    const limits = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
    const page = await backend.list({ prefix: '', limit: pageSize, ...(after === undefined ? {} : { after }) }, limits);
    // Probes of a backend are nobody's bytes, and the next moment they are gone; wrapped keys stand for themselves. No
    // bucket has their prefixes as its name.
    yield* page.blobs.filter(({ key }) => !key.startsWith(probePrefix) && !key.startsWith(keyBlobPrefix));
    if (!page.isTruncated) return;
    after = page.blobs.at(-1)!.key;
  }
}

async function* copies(store: Store, backend: string): AsyncGenerator<CopyRow> {
  let after = '';
  const statement = 'select * from copies where backend = ? and storage_key > ? order by storage_key limit ?';
  for (;;) {
    const rows = await store.read((reader) => reader.rows<CopyRow>(statement, [backend, after, pageSize]));
    yield* rows;
    if (rows.length < pageSize) return;
    after = rows.at(-1)!.storage_key;
  }
}

function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const owners = ['copies', 'intents', 'cleanup'];

async function isOwned(reader: Reader, backend: string, storageKey: string): Promise<boolean> {
  for (const table of owners) {
    const [row] = await reader.rows(`select 1 from ${table} where backend = ? and storage_key = ?`, [
      backend,
      storageKey,
    ]);
    if (row !== undefined) return true;
  }
  return false;
}

async function checkUnknown({ store, name, backend, signal }: CheckBackendOptions, key: string): Promise<Finding[]> {
  if (await store.read((reader) => isOwned(reader, name, key))) return [];
  // Its owner may have been deleted since it was listed, and its bytes with it.
  const facts = await backend.head(key, AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
  if (facts === null || (await store.read((reader) => isOwned(reader, name, key)))) return [];
  return [{ kind: 'orphan', detail: `${key} on ${name} (${facts.sizeBytes} bytes) belongs to nothing.` }];
}

async function checkMissing({ store, name, backend, signal }: CheckBackendOptions, copy: CopyRow): Promise<Finding[]> {
  const facts = await backend.head(copy.storage_key, AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
  if (facts !== null) return [];
  const statement = 'select 1 from copies where backend = ? and storage_key = ?';
  const [still] = await store.read((reader) => reader.rows(statement, [name, copy.storage_key]));
  if (still === undefined) return [];
  return [{ kind: 'missing_copy', detail: `${copy.storage_key} of content ${copy.content_id} is not on ${name}.` }];
}

async function wrongSize({ name }: CheckBackendOptions, copy: CopyRow): Promise<Finding> {
  return { kind: 'wrong_size', detail: `${copy.storage_key} on ${name} is not ${copy.stored_bytes} bytes long.` };
}

/** Reads a blob and compares its checksum. What cannot be read is not called damaged. */
async function checkBytes(
  backend: ObjectBackend,
  name: string,
  copy: CopyRow,
  signal: AbortSignal,
): Promise<Finding[]> {
  const body = bodyOf(toCopy(copy));
  const range = { offset: 0, length: body.bytes };
  let sum = 0;
  try {
    const blob = body.bytes === 0 ? null : await backend.get(copy.storage_key, range, signal);
    if (blob !== null) for await (const chunk of chunksOf(blob.content)) sum = crc32(chunk, sum);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ kind: 'unreachable', detail: `${copy.storage_key} on ${name} could not be read: ${message}` }];
  }
  if (sum === body.crc32) return [];
  return [{ kind: 'damaged_copy', detail: `${copy.storage_key} on ${name} is damaged: its checksum is wrong.` }];
}
