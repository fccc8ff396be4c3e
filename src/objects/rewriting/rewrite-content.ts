import type { Store } from '../../kernel/store/store.ts';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { compressFrames, frameBytesFor, isWorthwhile } from '../compression/frames.ts';
import { chunksOf } from '../content/content.ts';
import { describedVersion } from '../content/description.ts';
import type { ZstdForm } from '../content/form.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import type { Buckets } from '../gateway.ts';
import { noteIncompressible } from '../ledger/rewrites.ts';
import { wishesOf } from '../ledger/wanted-copies.ts';
import { type SwapContent, swapContent } from '../ledger/swap-content.ts';
import { abortUpload, commitPart, createUpload } from '../ledger/uploads.ts';
import { type AppliedEncryption, type ContentPart, type Copy, type ObjectVersion, rewriteOwner } from '../object.ts';
import { allCopiesOf, copiesOf, partsOf } from '../queries/queries.ts';
import { readCopy } from '../reading/read-copy.ts';
import { toVersion } from '../rows.ts';
import type { ObjectRow } from '../tables.ts';
import type { ContentWriter, Written } from '../writing/content-writer.ts';
import { type RewriteAction, type RewriteWish, planRewrite } from './plan.ts';

export interface RewriteOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly buckets: Buckets;
  readonly encryption: ObjectEncryption;
  readonly writer: ContentWriter;
  readonly newId: IdSource;
  readonly clock: Clock;
  onBadCopy(copy: Copy, reason: string): void;
}

const partsMax = 10_000;
/** Versions that share a content are exchanged in one transaction. */
const sharingMax = 1_000;

/** A part of a content that stands; the only one of a content that was written whole has no row of its own. */
interface Source {
  readonly part: number;
  readonly sizeBytes: number;
  readonly md5: string;
  readonly row: ContentPart | null;
}

/** What is written anew, and what for. */
interface Target {
  readonly version: ObjectVersion;
  readonly contentId: string;
  readonly settings: BucketSettings;
  readonly applied: AppliedEncryption | null;
}

/**
 * Writes a content anew as an action wants it, and gives it to all versions that have it. Gives the bytes that were written;
 * `null` when it is so already, or gone. Throws when it could not be done, and then nothing has changed: what a client
 * writes meanwhile wins always.
 */
export async function rewriteContent(
  options: RewriteOptions,
  action: RewriteAction,
  contentId: string,
  signal: AbortSignal,
): Promise<number | null> {
  const { store, buckets, encryption, newId } = options;
  const rows = await store.read((reader) =>
    reader.rows<ObjectRow>('select * from objects where content_id = ? order by bucket, object_key limit ?', [
      contentId,
      sharingMax,
    ]),
  );
  const [first] = rows;
  if (first === undefined) return null;
  const version = toVersion(first);
  const wishes = await store.read((reader) => wishesOf(reader, contentId));
  if (wishes === null) return null;
  const { settings: bucketSettings } = await buckets.get(version.bucket);
  // Its own bucket says how it is encrypted; where it stands is for all to say that share it.
  const { requiredLabels, copies } = wishes.settings;
  const settings = { ...bucketSettings, requiredLabels, copies };
  const wish = await planFor(options, action, version, settings);
  if (wish === null) return null;
  const sources = await sourcesOf(store, version);
  const compression = wish.isCompressed ? await measure(options, contentId, sources, signal) : [];
  if (action === 'compress' && compression.every((zstd) => zstd === null)) {
    await store.write(noteIncompressible, { contentId });
    return null;
  }
  const applied = wish.encryption === null ? null : encryption.apply(wish.encryption, settings);
  const target = { version, contentId: newId(sources[0]?.row === null ? 'c' : 'u'), settings, applied };
  const swap = {
    from: contentId,
    to: target.contentId,
    versions: rows.map(({ bucket, object_key, version_id }) => ({ bucket, object_key, version_id })),
    encryption: applied,
    copiesWanted: settings.copies,
    storageClass: wishes.storageClass,
  };
  await writeAll(options, { target, swap, sources, compression, from: contentId, signal });
  return version.sizeBytes;
}

/** What an action would make of a content, from the ledger alone. */
export async function planFor(
  { store, encryption }: Pick<RewriteOptions, 'store' | 'encryption'>,
  action: RewriteAction,
  version: ObjectVersion,
  settings: BucketSettings,
): Promise<RewriteWish | null> {
  const contentId = version.contentId!;
  const { copies, isIncompressible } = await store.read(async (reader) => ({
    copies: await allCopiesOf(reader, contentId),
    isIncompressible: (await reader.rows('select 1 from incompressible where content_id = ?', [contentId])).length > 0,
  }));
  const standing = {
    encryption: version.attributes.encryption ?? null,
    forms: copies.map(({ form }) => form),
    isIncompressible: isIncompressible || version.sizeBytes === 0,
    settings,
  };
  return planRewrite(action, standing, encryption.currentKekIds());
}

async function sourcesOf(store: Store, { contentId, sizeBytes, etag }: ObjectVersion): Promise<Source[]> {
  const rows = await store.read((reader) => partsOf(reader, contentId!, { after: 0, limit: partsMax }));
  if (rows.length === 0) return [{ part: 1, sizeBytes, md5: etag, row: null }];
  return rows.map((row) => ({ part: row.part, sizeBytes: row.sizeBytes, md5: row.etag, row }));
}

/** How long each part would be in frames; `null` for one that is not worth it. Reads all bytes once. */
async function measure(
  options: RewriteOptions,
  contentId: string,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<(ZstdForm | null)[]> {
  const measured: (ZstdForm | null)[] = [];
  for (const source of sources) {
    const frameBytes = frameBytesFor(source.sizeBytes);
    const frames: number[] = [];
    const own = reading(options, contentId, source, signal);
    for await (const frame of compressFrames(own, frameBytes)) frames.push(frame.length);
    const zstd = { frameBytes, frames };
    measured.push(source.sizeBytes > 0 && isWorthwhile(zstd, source.sizeBytes) ? zstd : null);
  }
  return measured;
}

async function* reading(
  options: RewriteOptions,
  contentId: string,
  { part, sizeBytes }: Source,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (sizeBytes === 0) return;
  const { store, registry, encryption, onBadCopy } = options;
  const copies = await store.read((reader) => copiesOf(reader, contentId, part));
  const open = await readCopy(copies, null, { registry, encryption, signal, onBadCopy });
  try {
    yield* chunksOf(open.content);
  } finally {
    open.cancel();
  }
}

interface Work {
  readonly target: Target;
  readonly swap: Omit<SwapContent, 'whole' | 'nowMs'>;
  readonly sources: readonly Source[];
  readonly compression: readonly (ZstdForm | null)[];
  readonly from: string;
  readonly signal: AbortSignal;
}

async function writeAll(options: RewriteOptions, work: Work): Promise<void> {
  const { store, clock } = options;
  const { target, swap, sources } = work;
  const [only] = sources;
  if (only?.row === null) {
    await writeOne(options, work, 0, async ({ written, write }) => {
      await store.write(swapContent, { ...swap, whole: { written, write }, nowMs: clock.nowMs() });
    });
    return;
  }
  const { bucket, key, attributes, tags, lock } = target.version;
  const place = { uploadId: target.contentId, bucket, key, owner: rewriteOwner, state: 'open' as const };
  const rest = { checksum: null, storageClass: swap.storageClass, createdAtMs: clock.nowMs() };
  await store.write(createUpload, { ...place, attributes, tags, lock, ...rest });
  try {
    for (const [index, { row }] of sources.entries()) {
      await writeOne(options, work, index, async ({ written, write, copiesWanted }) => {
        const { contentId: uploadId } = target;
        await store.write(commitPart, { uploadId, bucket, written, write, copiesWanted, part: row! });
      });
    }
    await store.write(swapContent, { ...swap, whole: null, nowMs: clock.nowMs() });
  } catch (error) {
    await store.write(abortUpload, { uploadId: target.contentId, nowMs: clock.nowMs() }).catch(() => {});
    throw error;
  }
}

async function writeOne(
  options: RewriteOptions,
  { target, sources, compression, from, signal }: Work,
  index: number,
  commit: (written: Written) => Promise<void>,
): Promise<void> {
  const { version, contentId, settings, applied } = target;
  const source = sources[index]!;
  const { bucket, key, attributes } = version;
  const { part, sizeBytes, md5 } = source;
  const encrypted = applied === null ? {} : { encryption: applied };
  const place = { bucket, key, contentId, part, sizeBytes };
  const told = { version: describedVersion({ ...version, id: version.versionId }), ...encrypted };
  const description = { ...place, attributes, createdAtMs: version.modifiedAtMs, ...told };
  const dataKey = await options.encryption.newKey(applied, undefined, { contentId, part });
  const encoding = { key: dataKey, compression: compression[index] ?? ('none' as const) };
  const content = reading(options, from, source, signal);
  // What was read must be what was written once, whatever its backend says.
  const incoming = { content, sizeBytes, md5: Buffer.from(md5, 'hex'), signal };
  await options.writer.write(incoming, { description, settings, encoding }, commit);
}
