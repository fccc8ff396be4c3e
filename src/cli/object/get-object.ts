import { createHash, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteClient } from '../../client-bytes.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type ObjectAddress, objectPath } from './address.ts';
import { isPlainMd5 } from './put-object.ts';
import { retried } from './retry.ts';

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
 * Reads an object into a file that appears under its name only when it is whole, checked and on the disk. What is there
 * already is replaced; a device or a pipe is written into instead.
 */
export async function getFile(client: ByteClient, path: string, wish: GetWish): Promise<Received> {
  const existing = await stat(path).catch(() => null);
  if (existing !== null && !existing.isFile() && !existing.isDirectory()) return intoDevice(client, path, wish);
  // In the same directory, because only there is a rename one step; its own name cannot be too long.
  const temporary = join(dirname(path), `.holdfast-${randomUUID()}.part`);
  return retried(wish.signal, async () => {
    const handle = await open(temporary, 'wx');
    try {
      const received = await getInto(client, wish, (chunk) => writeAll(handle, chunk));
      await handle.sync();
      await rename(temporary, path);
      return received;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  });
}

/** Hands an object's bytes to `write` as they come, once. Throws `backend` at the end when their MD5 is not the object's. */
export async function getInto(
  client: ByteClient,
  { address, versionId, range, signal, onBytes, onLength }: GetWish,
  write: (chunk: Buffer) => Promise<void>,
): Promise<Received> {
  const query = versionId === undefined ? '' : `?version_id=${encodeURIComponent(versionId)}`;
  const headers = range === undefined ? {} : { range };
  const response = await client.send({ method: 'GET', path: objectPath(address) + query, headers, signal });
  onLength?.(Number(response.headers['content-length'] ?? 0));
  const md5 = createHash('md5');
  let sizeBytes = 0;
  try {
    for await (const chunk of client.bytes(response, signal)) {
      md5.update(chunk);
      sizeBytes += chunk.length;
      onBytes(chunk.length);
      await write(chunk);
    }
    const etag = (response.headers.etag ?? '').replaceAll('"', '');
    const came = md5.digest('hex');
    if (response.statusCode === 200 && isPlainMd5(etag) && etag !== came) {
      throw new HoldfastError('backend', `Other bytes came than the object has: MD5 ${came}, not ${etag}.`);
    }
    return { sizeBytes, headers: response.headers };
  } catch (error) {
    onBytes(-sizeBytes);
    throw error;
  }
}

async function intoDevice(client: ByteClient, path: string, wish: GetWish): Promise<Received> {
  const handle = await open(path, 'w');
  try {
    return await getInto(client, wish, (chunk) => writeAll(handle, chunk));
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let offset = 0; offset < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, offset);
    offset += bytesWritten;
  }
}
