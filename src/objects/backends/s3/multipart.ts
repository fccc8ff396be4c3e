import type { XmlElement } from '../../s3/command.ts';
import { escapeXml, isSpeakable } from '../../s3/xml/escape.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { S3Client } from './client.ts';
import { childrenOf, garbage, requiredText, textIn } from './documents.ts';
import { decodeListed } from './listed.ts';

const CLEANUP_TIMEOUT_MS = 10_000;
/** A thousand uploads a page; nobody has more of one key. */
const PAGES_MAX = 16;

export interface Upload {
  readonly key: string;
  readonly id: string;
}

/** CreateMultipartUpload. */
export async function createUpload(
  client: S3Client,
  key: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Upload> {
  const call = { method: 'POST', key, query: { uploads: '' }, headers, signal } as const;
  const root = await client.document(call, 'InitiateMultipartUploadResult');
  return { key, id: requiredText(root, 'UploadId', client.who) };
}

/**
 * CompleteMultipartUpload, of parts numbered from 1 by their ETags. The answer may take minutes, kept alive by white space,
 * and may be an error inside a 200.
 */
export async function completeUpload(
  client: S3Client,
  upload: Upload,
  etags: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const parts = etags.map((etag, index) => {
    return `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`;
  });
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
  const headers = { 'content-type': 'application/xml' };
  const call = { method: 'POST', key: upload.key, query: { uploadId: upload.id }, headers, body, signal } as const;
  await client.document(call, 'CompleteMultipartUploadResult');
}

/** AbortMultipartUpload; one that is not there any more is success. */
export async function abortUpload(client: S3Client, upload: Upload, signal: AbortSignal): Promise<void> {
  const call = { method: 'DELETE', key: upload.key, query: { uploadId: upload.id }, signal } as const;
  await client.done(call, [200, 204, 404]);
}

/**
 * As {@link abortUpload}, for an upload that came to nothing, without holding up the caller; what cannot be aborted now,
 * `delete` finds later.
 */
export function giveUpUpload(client: S3Client, upload: Upload): void {
  client.inBackground(() => abortUpload(client, upload, AbortSignal.timeout(CLEANUP_TIMEOUT_MS)));
}

/** Uploads of exactly this key that were neither completed nor aborted (ListMultipartUploads). */
export async function uploadsOf(client: S3Client, key: string, signal: AbortSignal): Promise<Upload[]> {
  const found: Upload[] = [];
  let marker: Record<string, string> = {};
  for (let page = 0; page < PAGES_MAX; page++) {
    const root = await listUploads(client, key, marker, signal);
    if (root === null) return found;
    const decode = decodeListed(root, client.who);
    const uploads = childrenOf(root, 'Upload').map((upload) => ({
      key: decode(requiredText(upload, 'Key', client.who)),
      id: requiredText(upload, 'UploadId', client.who),
    }));
    found.push(...uploads.filter((upload) => upload.key === key));
    // The key itself is the first of all that begin with it.
    if (textIn(root, 'IsTruncated') !== 'true' || uploads.at(-1)?.key !== key) return found;
    marker = { 'key-marker': key, 'upload-id-marker': uploads.at(-1)!.id };
  }
  throw garbage(client.who, 'lists the uploads of a key without end');
}

async function listUploads(
  client: S3Client,
  key: string,
  marker: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<XmlElement | null> {
  const query = { uploads: '', prefix: key, 'encoding-type': 'url', 'max-uploads': 1000, ...marker };
  try {
    return await client.document({ method: 'GET', key: null, query, signal }, 'ListMultipartUploadsResult');
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // A server without multipart has no uploads; and one that does not encode cannot tell of such a key in XML.
    if (error.kind === 'unsupported') return null;
    if (error.details['reason'] === 'garbage' && !isSpeakable(key)) return null;
    throw error;
  }
}
