import type { Content } from '../../content/content.ts';
import type { S3Client } from './client.ts';
import { DigestedStream, checkEtag } from './digest.ts';
import { garbage } from './documents.ts';
import { partBytesFor } from './limits.ts';
import { type Upload, completeUpload, createUpload, giveUpUpload } from './multipart.ts';
import { isOutcomeUnknown, withOutcome } from './outcome.ts';
import { type S3PutOptions, blobHeaders, checkStored, discard, isDamaged } from './put.ts';
import { SlicedSource } from './source.ts';

export interface PartsOptions extends S3PutOptions {
  /** The wished size of parts, in bytes. */
  readonly partBytes: number;
}

/**
 * Puts a blob as a native multipart upload. Each part is a slice of the stream, passed on as it comes, so a part that fails
 * cannot be sent again: it fails the put. Nothing is readable before the last request.
 */
export async function putParts(client: S3Client, key: string, content: Content, options: PartsOptions): Promise<void> {
  const { sizeBytes, signal } = options;
  const source = new SlicedSource(content, sizeBytes, signal);
  let upload: Upload | null = null;
  try {
    upload = await createUpload(client, key, options.headers ?? blobHeaders, signal);
    const etags = await sendParts(client, upload, source, options);
    const completing = upload;
    upload = null;
    await complete(client, completing, etags, options);
  } catch (error) {
    if (upload !== null) giveUpUpload(client, upload);
    throw error;
  } finally {
    source.release();
  }
}

async function sendParts(client: S3Client, upload: Upload, source: SlicedSource, options: PartsOptions) {
  const { sizeBytes, signal } = options;
  const partBytes = partBytesFor(sizeBytes, options.partBytes);
  const etags: string[] = [];
  for (let sentBytes = 0; sentBytes < sizeBytes; sentBytes += partBytes) {
    const length = Math.min(partBytes, sizeBytes - sentBytes);
    const body = new DigestedStream(length, () => source.take(length));
    const query = { partNumber: etags.length + 1, uploadId: upload.id };
    const reply = await client.done({ method: 'PUT', key: upload.key, query, body, signal }, [200]);
    checkEtag(reply, body, client.who);
    const etag = reply.header('etag');
    if (etag === undefined) throw garbage(client.who, 'has no ETag for a part');
    etags.push(etag);
  }
  return etags;
}

/** A lost answer to the last request is looked for: the blob is there whole, or not at all. */
async function complete(
  client: S3Client,
  upload: Upload,
  etags: readonly string[],
  { sizeBytes, signal }: PartsOptions,
): Promise<void> {
  try {
    await completeUpload(client, upload, etags, signal);
  } catch (error) {
    // It may be completing still, and an abort would race with that; `delete` aborts what is left.
    if (!isOutcomeUnknown(error)) giveUpUpload(client, upload);
    if (!isOutcomeUnknown(error) || !(await isThere(client, upload.key, sizeBytes, signal))) throw withOutcome(error);
    return;
  }
  try {
    await checkStored(client, upload.key, sizeBytes, signal);
  } catch (error) {
    throw isDamaged(error) ? await discard(client, upload.key, error) : withOutcome(error);
  }
}

async function isThere(client: S3Client, key: string, sizeBytes: number, signal: AbortSignal): Promise<boolean> {
  return checkStored(client, key, sizeBytes, signal).then(
    () => true,
    () => false,
  );
}
