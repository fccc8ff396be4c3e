import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { encodePath } from '../../s3/signature/uri.ts';
import type { S3Client } from './client.ts';
import { requiredText } from './documents.ts';
import { partBytesFor } from './limits.ts';
import { completeUpload, createUpload, giveUpUpload } from './multipart.ts';
import { isOutcomeUnknown, withOutcome } from './outcome.ts';
import { blobHeaders, checkStored } from './put.ts';
import { headBlob, unlessAbsent } from './read.ts';

export interface CopyLimits {
  /** The most that one CopyObject takes, in bytes. */
  readonly wholeBytesMax: number;
  /** The wished size of parts of a larger copy, in bytes. */
  readonly partBytes: number;
}

interface Copying {
  readonly source: string;
  readonly target: string;
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

/** CopyObject inside the bucket, or for a large blob a multipart upload whose parts are copied. */
export async function copyBlob(
  client: S3Client,
  { source, target, signal }: Omit<Copying, 'sizeBytes'>,
  limits: CopyLimits,
): Promise<'copied' | 'absent'> {
  const head = await headBlob(client, source, source, signal);
  if (head === null) return 'absent';
  const { sizeBytes } = head.facts;
  const copying = { source, target, sizeBytes, signal };
  try {
    const isWhole = sizeBytes <= limits.wholeBytesMax;
    const done = isWhole ? await copyWhole(client, copying) : await copyParts(client, copying, limits.partBytes);
    if (!done) return 'absent';
  } catch (error) {
    if (!isOutcomeUnknown(error)) throw error;
    // The answer was lost, or came too late; the target is there whole, or not at all.
    await checkStored(client, target, sizeBytes, signal).catch(() => {
      throw withOutcome(error);
    });
    return 'copied';
  }
  await checkStored(client, target, sizeBytes, signal);
  return 'copied';
}

/** Gives `false` when the source is gone. */
async function copyWhole(client: S3Client, { source, target, signal }: Copying): Promise<boolean> {
  const headers = copySource(client, source);
  const call = { method: 'PUT', key: target, headers, signal } as const;
  return (await unlessAbsent(client, signal, () => client.document(call, 'CopyObjectResult'))) !== null;
}

async function copyParts(client: S3Client, copying: Copying, wishedBytes: number): Promise<boolean> {
  const { target, sizeBytes, signal } = copying;
  const partBytes = partBytesFor(sizeBytes, wishedBytes);
  const upload = await createUpload(client, target, blobHeaders, signal);
  const etags: string[] = [];
  try {
    for (let offset = 0; offset < sizeBytes; offset += partBytes) {
      const last = Math.min(offset + partBytes, sizeBytes) - 1;
      const headers = { ...copySource(client, copying.source), 'x-amz-copy-source-range': `bytes=${offset}-${last}` };
      const query = { partNumber: etags.length + 1, uploadId: upload.id };
      const call = { method: 'PUT', key: target, query, headers, signal } as const;
      const root = await unlessAbsent(client, signal, () => client.document(call, 'CopyPartResult'));
      if (root === null) {
        giveUpUpload(client, upload);
        return false;
      }
      etags.push(requiredText(root, 'ETag', client.who));
    }
    await completeUpload(client, upload, etags, signal);
    return true;
  } catch (error) {
    const isCompleting = etags.length * partBytes >= sizeBytes && isOutcomeUnknown(error);
    if (!isCompleting) giveUpUpload(client, upload);
    throw error;
  }
}

/** The source is encoded like a path. One that S3 refuses for its size is a matter of `CopyLimits`. */
function copySource(client: S3Client, source: string): Record<string, string> {
  return { 'x-amz-copy-source': `/${encodePath(client.bucket)}/${encodePath(source)}` };
}

export function tooLarge(sizeBytes: number, blobBytesMax: number): HoldfastError {
  const sentence = `A blob of ${sizeBytes} bytes is too large for an S3 server, which takes ${blobBytesMax}.`;
  return new HoldfastError('invalid', sentence, { size_bytes: sizeBytes, blob_bytes_max: blobBytesMax });
}
