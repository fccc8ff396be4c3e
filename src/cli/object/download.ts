import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type ByteClient, Refused } from '../../client-bytes.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type ObjectAddress, objectPath } from './address.ts';
import { isPlainMd5 } from './put-object.ts';
import { Patience } from './retry.ts';

export interface GetWish {
  readonly address: ObjectAddress;
  readonly versionId: string | undefined;
  /** A `Range` header. */
  readonly range: string | undefined;
  readonly signal: AbortSignal;
  /** Bytes that came; negative when they must come again. */
  readonly onBytes: (bytes: number) => void;
  /** How many bytes come, when that is known. */
  readonly onLength?: (bytes: number) => void;
}

/** What came. */
export interface Received {
  readonly sizeBytes: number;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Hands an object's bytes to `write` as they come, each once. When the connection breaks, the rest is asked for, of the very
 * same content. Throws `backend` at the end when their MD5 is not the object's, and `conflict` when the object was replaced
 * before its rest was read.
 */
export async function download(
  client: ByteClient,
  wish: GetWish,
  write: (chunk: Buffer) => Promise<void>,
): Promise<Received> {
  const { range, signal, onBytes, onLength } = wish;
  const md5 = createHash('md5');
  const patience = new Patience(signal);
  let sizeBytes = 0;
  let headers: IncomingHttpHeaders | null = null;
  for (;;) {
    try {
      const response: IncomingMessage = await (headers === null
        ? ask(client, wish, range === undefined ? {} : { range })
        : askForRest(client, wish, headers, sizeBytes));
      if (headers === null) {
        headers = response.headers;
        onLength?.(Number(headers['content-length'] ?? 0));
      }
      for await (const chunk of client.bytes(response, signal)) {
        patience.renew();
        md5.update(chunk);
        sizeBytes += chunk.length;
        onBytes(chunk.length);
        await write(chunk);
      }
      if (range === undefined) check(headers, md5.digest('hex'));
      return { sizeBytes, headers };
    } catch (error) {
      await patience.wait(error).catch((last: unknown) => {
        onBytes(-sizeBytes);
        throw last;
      });
      if (sizeBytes === 0) headers = null;
    }
  }
}

function ask(client: ByteClient, wish: GetWish, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const { address, versionId, signal } = wish;
  const query = versionId === undefined ? '' : `?version_id=${encodeURIComponent(versionId)}`;
  return client.send({ method: 'GET', path: objectPath(address) + query, headers, signal });
}

/** The bytes behind those that are here (RFC 9110, 14.2), of the same content or not at all. */
async function askForRest(
  client: ByteClient,
  wish: GetWish,
  { etag = '', 'content-range': contentRange = '' }: IncomingHttpHeaders,
  sizeBytes: number,
): Promise<IncomingMessage> {
  const [, begin = '0', end = ''] = /^bytes (\d+)-(\d+)\//.exec(contentRange) ?? [];
  const from = Number(begin) + sizeBytes;
  const headers = { range: `bytes=${from}-${end}`, 'if-match': etag };
  const response = await ask(client, wish, headers).catch((error: unknown) => {
    throw error instanceof Refused && error.status === 412 ? replaced(error) : error;
  });
  if (response.headers['content-range']?.startsWith(`bytes ${from}-`) === true) return response;
  response.destroy();
  throw new HoldfastError('backend', 'The server gave other bytes than the rest that it was asked for.');
}

function replaced(cause: unknown): HoldfastError {
  const sentence = 'The object was replaced while it was read; read it again.';
  return new HoldfastError('conflict', sentence, { reason: 'replaced' }, cause);
}

function check({ etag: header = '' }: IncomingHttpHeaders, came: string): void {
  const etag = header.replaceAll('"', '');
  if (!isPlainMd5(etag) || etag === came) return;
  throw new HoldfastError('backend', `Other bytes came than the object has: MD5 ${came}, not ${etag}.`);
}
