import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { type ByteRange, smallContentBytes } from '../../content/content.ts';
import type { BlobFacts, OpenBlob } from '../backend.ts';
import { openReply, rangeHeader } from '../http/ranged-read.ts';
import type { S3Call, S3Client } from './client.ts';
import { garbage } from './documents.ts';

/** GetObject, whole or a range. What is small is read at once, so that it can still fail over. */
export async function openBlob(
  client: S3Client,
  key: string,
  range: ByteRange | null,
  signal: AbortSignal,
): Promise<OpenBlob | null> {
  if (range?.length === 0) return openNothing(client, key, signal);
  const rangeText = rangeHeader(range);
  const headers = rangeText === null ? {} : { range: rangeText };
  const call: S3Call = { method: 'GET', key, headers, signal };
  const reply = await unlessAbsent(client, signal, () => client.call(call, [200, 206, 416]));
  if (reply === null) return null;
  const opened = openReply(reply, range, client.who);
  if ((range?.length ?? opened.sizeBytes) > smallContentBytes || Buffer.isBuffer(opened.content)) return opened;
  const chunks: Buffer[] = [];
  for await (const chunk of opened.content) chunks.push(chunk);
  return { sizeBytes: opened.sizeBytes, content: Buffer.concat(chunks), cancel: () => undefined };
}

/** What HEAD tells of a blob. */
export interface S3Head {
  readonly facts: BlobFacts;
  /** Of a bucket that keeps versions; `null` elsewhere. */
  readonly versionId: string | null;
}

/** HeadObject; `null` when there is no such key. `storedKey` has the prefix, `key` is that of the facts. */
export async function headBlob(
  client: S3Client,
  key: string,
  storedKey: string,
  signal: AbortSignal,
): Promise<S3Head | null> {
  const call: S3Call = { method: 'HEAD', key: storedKey, signal };
  const reply = await unlessAbsent(client, signal, () => client.done(call, [200]));
  if (reply === null) return null;
  const sizeBytes = reply.contentLength;
  if (sizeBytes === null) throw garbage(client.who, 'does not tell the size of a blob');
  const modifiedAtMs = Date.parse(reply.header('last-modified') ?? '');
  const facts = { key, sizeBytes, modifiedAtMs: Number.isNaN(modifiedAtMs) ? 0 : modifiedAtMs };
  return { facts, versionId: reply.header('x-amz-version-id') ?? null };
}

/** Throws with one sentence when the bucket does not answer for us. */
export async function checkBucket(client: S3Client, signal: AbortSignal): Promise<void> {
  try {
    await client.done({ method: 'HEAD', key: null, signal }, [200]);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.details['status'] === undefined) throw error;
    // The answer to HEAD has no body that says why; this one has.
    const query = { 'list-type': 2, 'max-keys': 1 };
    await client.document({ method: 'GET', key: null, query, signal }, 'ListBucketResult');
    throw error;
  }
}

/**
 * The result of a call on a key, or `null` for an absent one. A 404 that does not say what is absent (HEAD has no body, and
 * a wrong endpoint answers 404 to all) is believed only when the bucket is there: else every blob would seem lost.
 */
export async function unlessAbsent<T>(
  client: S3Client,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.details['status'] !== 404) throw error;
    const code = error.details['code'];
    if (code === 'NoSuchBucket') throw error;
    if (code !== 'NoSuchKey') await checkBucket(client, signal);
    return null;
  }
}

async function openNothing(client: S3Client, key: string, signal: AbortSignal): Promise<OpenBlob | null> {
  const head = await headBlob(client, key, key, signal);
  if (head === null) return null;
  return { sizeBytes: head.facts.sizeBytes, content: Buffer.alloc(0), cancel: () => undefined };
}
