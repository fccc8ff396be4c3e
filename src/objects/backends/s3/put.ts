import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { type Content, smallContentBytes } from '../../content/content.ts';
import type { PutOptions } from '../backend.ts';
import type { S3Client } from './client.ts';
import { DigestedStream, checkEtag } from './digest.ts';
import { isConnectionLost, withOutcome } from './outcome.ts';
import { headBlob } from './read.ts';
import { SlicedSource, gather } from './source.ts';

const CLEANUP_TIMEOUT_MS = 10_000;

export interface S3PutOptions extends PutOptions {
  /** What is said of the object; by default that it is bytes. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** PutObject of a blob that is small enough for one request. */
export async function putWhole(client: S3Client, key: string, content: Content, options: S3PutOptions): Promise<void> {
  const { sizeBytes, signal, headers = blobHeaders } = options;
  signal.throwIfAborted();
  if (sizeBytes <= smallContentBytes) {
    return putBuffer(client, key, { body: await gather(content, sizeBytes, signal), headers }, signal);
  }
  const source = new SlicedSource(content, sizeBytes, signal);
  try {
    await putStream(client, key, source, options);
  } finally {
    source.release();
  }
}

/**
 * Puts a buffer, with its SHA-256 in the signature, so that the server refuses other bytes. When the connection breaks
 * before the answer, the blob is looked for first, and then put once more.
 */
async function putBuffer(
  client: S3Client,
  key: string,
  { body, headers }: { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<void> {
  const put = async (): Promise<void> => {
    await client.done({ method: 'PUT', key, headers, body, signal }, [200, 201, 204]);
  };
  try {
    await put();
  } catch (error) {
    if (!isConnectionLost(error)) throw withOutcome(error);
    try {
      const head = await headBlob(client, key, key, signal);
      if (head?.facts.sizeBytes !== body.length) await put();
    } catch (again) {
      throw withOutcome(again);
    }
  }
}

async function putStream(client: S3Client, key: string, source: SlicedSource, options: S3PutOptions): Promise<void> {
  const { sizeBytes, signal, headers = blobHeaders } = options;
  const body = new DigestedStream(sizeBytes, () => source.take(sizeBytes));
  const call = { method: 'PUT', key, headers, body, signal } as const;
  try {
    const reply = await client.done(call, [200, 201, 204]);
    if (checkEtag(reply, body, client.who) === 'unknown') await checkStored(client, key, sizeBytes, signal);
  } catch (error) {
    if (isDamaged(error)) throw await discard(client, key, error);
    throw withOutcome(error);
  }
}

/**
 * Makes sure that as many bytes were stored as were sent.
 *
 * @throws HoldfastError `backend` when not.
 */
export async function checkStored(
  client: S3Client,
  key: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const head = await headBlob(client, key, key, signal);
  if (head?.facts.sizeBytes === sizeBytes) return;
  const stored = head === null ? 'no blob' : `${head.facts.sizeBytes} bytes`;
  const sentence = `${client.who} took ${sizeBytes} bytes, but has ${stored} now.`;
  throw new HoldfastError('backend', sentence, { reason: 'damaged' });
}

export function isDamaged(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.kind === 'backend' && error.details['reason'] === 'damaged';
}

/** Takes a damaged blob away. Gives the error to throw, which says if that may have failed. */
export async function discard(client: S3Client, key: string, error: HoldfastError): Promise<unknown> {
  try {
    await client.done({ method: 'DELETE', key, signal: AbortSignal.timeout(CLEANUP_TIMEOUT_MS) }, [200, 204, 404]);
    return error;
  } catch {
    return new HoldfastError(error.kind, error.message, { ...error.details, outcome: 'unknown' }, error.cause);
  }
}

export const blobHeaders = { 'content-type': 'application/octet-stream' };
