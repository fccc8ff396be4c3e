import type { BackendSettings, ObjectBackend } from '../../objects/backends/backend.ts';
import type { HttpReply } from '../../objects/backends/http/reply.ts';
import { S3Client } from '../../objects/backends/s3/client.ts';
import { putParts } from '../../objects/backends/s3/put-parts.ts';
import { putWhole } from '../../objects/backends/s3/put.ts';
import { unlessAbsent } from '../../objects/backends/s3/read.ts';
import { readS3 } from '../../objects/backends/s3/settings.ts';
import { garbage } from '../../objects/backends/s3/documents.ts';
import type { Tags } from '../../objects/object.ts';
import { fromHeaderText, toHeaderText } from '../../objects/s3/header-text.ts';
import { standardClass } from '../../objects/storage-class.ts';
import { parseTagging } from '../../objects/s3/tags.ts';
import { isPlainMd5 } from '../object/put-object.ts';
import { type Facts, type Place, carriedHeaders, listBackend } from './place.ts';

const metadataPrefix = 'x-amz-meta-';
const classHeader = 'x-amz-storage-class';
const tagsMax = 50;

/** A bucket of any S3 server, which tells types, metadata, tags and storage classes, and takes them. */
export function s3Place(settings: BackendSettings, backend: ObjectBackend): Place {
  const read = readS3(settings);
  const client = new S3Client(read);
  const stored = (key: string) => read.prefix + key;
  const factsOf = async (key: string, reply: HttpReply, sizeBytes: number, signal: AbortSignal): Promise<Facts> => {
    const hasTags = Number(reply.header('x-amz-tagging-count') ?? 0) > 0;
    const tags = hasTags ? await tagsOf(client, stored(key), signal) : {};
    return { sizeBytes, ...attributesOf(reply), tags };
  };
  return {
    list: (signal) => listBackend(backend, signal),
    facts: ({ key }, signal) =>
      unlessAbsent(client, signal, async () => {
        const reply = await client.done({ method: 'HEAD', key: stored(key), signal }, [200]);
        return factsOf(key, reply, reply.contentLength ?? 0, signal);
      }),
    open: ({ key }, signal) =>
      unlessAbsent(client, signal, async () => {
        const reply = await client.call({ method: 'GET', key: stored(key), signal }, [200]);
        try {
          // A backend refuses bodies that are encoded, which is a fact of an object like others here.
          if (reply.contentLength === null) throw garbage(client.who, 'does not tell the size of an object');
          const facts = await factsOf(key, reply, reply.contentLength, signal);
          return { facts, content: reply.chunks(), cancel: () => reply.cancel() };
        } catch (error) {
          reply.cancel();
          throw error;
        }
      }),
    put: (key, content, facts, signal) => {
      const { sizeBytes } = facts;
      const options = { sizeBytes, signal, headers: headersOf(facts), partBytes: read.partBytes };
      if (sizeBytes <= read.partBytes) return putWhole(client, stored(key), content, options);
      return putParts(client, stored(key), content, options);
    },
    close: async () => {
      await client.close();
      await backend.close();
    },
  };
}

function attributesOf(reply: HttpReply): Omit<Facts, 'sizeBytes' | 'tags'> {
  const headers: Record<string, string> = {};
  for (const name of carriedHeaders) {
    const value = reply.header(name);
    if (value !== undefined) headers[name] = fromHeaderText(value);
  }
  const metadata: Record<string, string> = {};
  for (const [name, value] of reply.headersWith(metadataPrefix)) {
    metadata[name.slice(metadataPrefix.length)] = fromHeaderText(value);
  }
  const etag = (reply.header('etag') ?? '').replaceAll('"', '');
  // With the keys of others the ETag of a whole object is not its MD5.
  const isEncrypted = (reply.header('x-amz-server-side-encryption') ?? 'AES256') !== 'AES256';
  const md5 = isPlainMd5(etag) && !isEncrypted ? etag : null;
  const contentType = fromHeaderText(reply.header('content-type') ?? 'application/octet-stream');
  const storageClass = reply.header(classHeader) || standardClass;
  return { md5, contentType, headers, metadata, storageClass };
}

async function tagsOf(client: S3Client, key: string, signal: AbortSignal): Promise<Tags> {
  return parseTagging(
    await client.document({ method: 'GET', key, query: { tagging: '' }, signal }, 'Tagging'),
    tagsMax,
  );
}

function headersOf({ contentType, headers, metadata, tags, storageClass }: Facts): Record<string, string> {
  const all: Record<string, string> = { 'content-type': toHeaderText(contentType) };
  for (const [name, value] of Object.entries(headers)) all[name] = toHeaderText(value);
  for (const [name, value] of Object.entries(metadata)) all[metadataPrefix + name] = toHeaderText(value);
  if (Object.keys(tags).length > 0) all['x-amz-tagging'] = new URLSearchParams(tags).toString();
  if (storageClass !== standardClass) all[classHeader] = storageClass;
  return all;
}
