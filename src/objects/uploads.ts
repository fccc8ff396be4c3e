import { createHash } from 'node:crypto';
import { checksumOfParts } from './checksums/multipart.ts';
import { describedVersion } from './content/description.ts';
import { objectError } from './errors.ts';
import type { CompleteRequest, IncomingPart, UploadRef, Uploads } from './gateway.ts';
import { requireKey } from './keys.ts';
import { completeUpload } from './ledger/complete-upload.ts';
import { abortUpload, commitPart, createUpload } from './ledger/uploads.ts';
import { type ContentPart, type ObjectChecksum, type ObjectVersion, type Upload, rewriteOwner } from './object.ts';
import { type ObjectsOptions, partsMax } from './objects.ts';
import { requireRoom } from './quotas/require-room.ts';
import { listUploads } from './queries/list-uploads.ts';
import { findUpload, findVersionByContent, partOf, partsOf } from './queries/queries.ts';
import { requireStorageClass, settingsIn, standardClass } from './storage-class.ts';
import { copyPart } from './writing/copy-part.ts';
import { compressionOf } from './writing/put-object.ts';
import { orFound } from './writing/unknown-commit.ts';

/** The least size of a part that is not the last one, in bytes. */
const partBytesMin = 5 * 1024 ** 2;

/** Multipart uploads. Each part is written once, where it stays: completing moves no bytes. */
export function createUploads(options: ObjectsOptions): Uploads {
  const { store, buckets, encryption, newId, clock, locator } = options;
  const get = async (ref: UploadRef): Promise<Upload> => {
    const upload = await store.read((reader) => findUpload(reader, ref.uploadId));
    if (upload === null || upload.state !== 'open' || !isOf(upload, ref)) throw noSuchUpload(ref);
    return upload;
  };
  const putPart = (ref: UploadRef, part: number, incoming: IncomingPart) =>
    writePart(options, get, ref, part, incoming);
  return {
    get,
    async create({ encryption: wish, ...request }) {
      requireKey(request.key);
      requireStorageClass(options.storageClasses, request.storageClass ?? standardClass);
      const { settings } = await buckets.get(request.bucket);
      const applied = encryption.apply(wish, settings);
      const attributes = { ...request.attributes, checksums: [], ...(applied === null ? {} : { encryption: applied }) };
      const rest = { uploadId: newId('u'), state: 'open' as const, createdAtMs: clock.nowMs() };
      const upload: Upload = { ...request, attributes, ...rest };
      await store.write(createUpload, upload);
      return upload;
    },
    putPart,
    async copyPart(ref, part, source, { signal, customerKey }) {
      await get(ref);
      return copyPart(options, source, signal, (incoming) => putPart(ref, part, { ...incoming, customerKey }));
    },
    async complete(request) {
      const version = await complete(options, request);
      locator.forget(request.bucket, request.key);
      return version;
    },
    async abort(ref) {
      await get(ref);
      await store.write(abortUpload, { uploadId: ref.uploadId, nowMs: clock.nowMs() });
    },
    async listParts(ref, page) {
      await get(ref);
      return store.read((reader) => partsOf(reader, ref.uploadId, page));
    },
    async list(request) {
      await buckets.get(request.bucket);
      return store.read((reader) => listUploads(reader, request));
    },
  };
}

/** An upload is only found under its own bucket and key: its id alone gives no right to it. That of a rewriting never is. */
function isOf(upload: Upload, { bucket, key }: UploadRef): boolean {
  return upload.bucket === bucket && upload.key === key && upload.owner !== rewriteOwner;
}

function noSuchUpload({ uploadId }: UploadRef) {
  return objectError('NoSuchUpload', { upload_id: uploadId });
}

async function writePart(
  { store, buckets, writer, encryption, quotas, storageClasses, clock }: ObjectsOptions,
  get: (ref: UploadRef) => Promise<Upload>,
  ref: UploadRef,
  part: number,
  incoming: IncomingPart,
): Promise<ContentPart> {
  if (!Number.isInteger(part) || part < 1 || part > partsMax) {
    throw objectError('InvalidArgument', { part_number: part }, `Part numbers are 1 to ${partsMax}.`);
  }
  const { uploadId, bucket, key } = ref;
  const upload = await get(ref);
  const { attributes, checksum, owner, storageClass = standardClass } = upload;
  const settings = settingsIn((await buckets.get(bucket)).settings, storageClasses, storageClass);
  const { sizeBytes } = incoming;
  await requireRoom(store, quotas, {
    bucket,
    owner,
    sizeBytes,
    objects: 0,
    displaced: async () => {
      const [standing] = await store.read((reader) => partsOf(reader, uploadId, { after: part - 1, limit: 1 }));
      return standing?.part === part ? { owner, sizeBytes: standing.sizeBytes } : null;
    },
  });
  const { encryption: applied } = attributes;
  const place = { bucket, key, contentId: uploadId, part, sizeBytes };
  const encrypted = applied === undefined ? {} : { encryption: applied };
  const told = { version: describedVersion(upload), ...encrypted };
  const description = { ...place, attributes, createdAtMs: clock.nowMs(), ...told };
  const encoding = {
    key: await encryption.newKey(applied, incoming.customerKey, { contentId: uploadId, part }),
    compression: compressionOf(settings),
  };
  // The checksum of the whole is made of those of the parts, so each part needs it.
  const isAsked = checksum === null || incoming.checksums?.some(({ algorithm }) => algorithm === checksum.algorithm);
  const checksums =
    isAsked === true ? incoming.checksums : [...(incoming.checksums ?? []), { algorithm: checksum!.algorithm }];
  const content = checksums === undefined ? incoming : { ...incoming, checksums };
  return writer.write(
    content,
    { description, settings, encoding },
    async ({ write, written, digests, copiesWanted }) => {
      const { md5: etag, crc32 } = digests;
      const entered: ContentPart = {
        part,
        sizeBytes,
        etag,
        crc32,
        checksums: digests.checksums,
        modifiedAtMs: clock.nowMs(),
      };
      const commit = store.write(commitPart, { uploadId, bucket, written, write, copiesWanted, part: entered });
      return orFound(
        commit.then(() => entered),
        async () => ((await store.read((reader) => partOf(reader, uploadId, part, write.writeId))) ? entered : null),
      );
    },
  );
}

async function complete(options: ObjectsOptions, request: CompleteRequest): Promise<ObjectVersion> {
  const { store, newId, clock } = options;
  const { bucket, key, uploadId, conditions, actor } = request;
  const find = () => store.read((reader) => findUpload(reader, uploadId));
  const upload = await find();
  if (upload === null || !isOf(upload, request)) throw noSuchUpload(request);
  if (upload.result !== null) return JSON.parse(upload.result) as ObjectVersion;
  const standing = await store.read((reader) => partsOf(reader, uploadId, { after: 0, limit: partsMax }));
  let parts: readonly ContentPart[];
  try {
    parts = chooseParts(request, standing);
  } catch (error) {
    // The upload may have ended between the two looks, and parts go with it.
    const last = await find();
    if (last === null) throw noSuchUpload(request);
    if (last.result !== null) return JSON.parse(last.result) as ObjectVersion;
    throw error;
  }
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (request.sizeBytes !== undefined && request.sizeBytes !== sizeBytes) {
    throw objectError(
      'InvalidRequest',
      { size_bytes: sizeBytes },
      'The object size that was sent is not that of the parts.',
    );
  }
  const checksums = wholeChecksums(upload, parts, request.checksum);
  const params = {
    uploadId,
    bucket,
    key,
    parts: parts.map(({ part, etag }) => ({ part, etag })),
    versionId: newId('v'),
    sizeBytes,
    etag: compositeEtag(parts),
    attributes: { ...upload.attributes, checksums },
    conditions,
    actor,
    nowMs: clock.nowMs(),
  };
  return orFound(store.write(completeUpload, params), () =>
    store.read((reader) => findVersionByContent(reader, bucket, key, uploadId)),
  );
}

/** The parts that a client lists, as they stand. Throws `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`. */
function chooseParts({ parts }: CompleteRequest, standing: readonly ContentPart[]): ContentPart[] {
  if (parts.length === 0) throw objectError('MalformedXML', {}, 'At least one part must be listed.');
  if (parts.some(({ part }, index) => index > 0 && part <= parts[index - 1]!.part))
    throw objectError('InvalidPartOrder');
  const byNumber = new Map(standing.map((part) => [part.part, part]));
  const chosen: ContentPart[] = [];
  for (const [index, wanted] of parts.entries()) {
    const part = byNumber.get(wanted.part);
    if (part === undefined || part.etag !== wanted.etag) throw objectError('InvalidPart', { part_number: wanted.part });
    const { checksum } = wanted;
    const known = part.checksums.find(({ algorithm }) => algorithm === checksum?.algorithm);
    if (checksum !== undefined && known?.value !== checksum.value) {
      throw objectError('InvalidPart', { part_number: wanted.part }, 'The checksum of a part does not match.');
    }
    if (part.sizeBytes < partBytesMin && index < parts.length - 1) {
      throw objectError('EntityTooSmall', {
        part_number: part.part,
        size_bytes: part.sizeBytes,
        minimum_bytes: partBytesMin,
      });
    }
    chosen.push(part);
  }
  return chosen;
}

/** The MD5 of the parts' MD5s in binary, with their number. */
function compositeEtag(parts: readonly ContentPart[]): string {
  const md5 = createHash('md5');
  for (const { etag } of parts) md5.update(Buffer.from(etag, 'hex'));
  return `${md5.digest('hex')}-${parts.length}`;
}

function wholeChecksums(
  { checksum }: Upload,
  parts: readonly ContentPart[],
  announced: ObjectChecksum | undefined,
): readonly ObjectChecksum[] {
  if (checksum === null) return [];
  const digests = parts.map((part) => ({
    digest: Buffer.from(part.checksums.find(({ algorithm }) => algorithm === checksum.algorithm)!.value, 'base64'),
    sizeBytes: part.sizeBytes,
  }));
  const whole = checksumOfParts(checksum.algorithm, checksum.type, digests);
  if (announced !== undefined && announced.algorithm === whole.algorithm && announced.value !== whole.value) {
    throw objectError('BadDigest', {}, `The ${whole.algorithm} you specified did not match the calculated checksum.`);
  }
  return [whole];
}
