import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ByteClient } from '../../client-bytes.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ReplyOf } from '../../kernel/http/contract.ts';
import { parseJson } from '../../kernel/http/json.ts';
import type { objectContract } from '../../objects/api/contract.ts';
import { type ObjectAddress, objectPath } from './address.ts';
import { fileTrouble } from '../disk-trouble.ts';
import { changed, exactly, fileChunks } from './outgoing.ts';
import { retried } from './retry.ts';

export type ObjectReply = ReplyOf<typeof objectContract.putObject>;

/** What is said of an object beside its bytes. */
export interface PutWish {
  readonly address: ObjectAddress;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What else is said of it, such as `cache-control`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Only when there is no such object yet. Such a write is sent once: a second one would meet the first. */
  readonly isNew: boolean;
  readonly signal: AbortSignal;
  /** Bytes that went out; negative when they must go out again. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Writes a file as an object. Throws what the server says, `conflict` for a file that changes meanwhile, and what the disk
 * says.
 */
export async function putFile(client: ByteClient, path: string, wish: PutWish): Promise<ObjectReply> {
  try {
    await using handle = await open(path, 'r');
    const once = async () => {
      const before = await handle.stat();
      const object = await send(client, before.size, fileChunks(handle, before.size, path), wish);
      const after = await handle.stat();
      if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw changed(path);
      return object;
    };
    return await (wish.isNew ? once() : retried(wish.signal, once));
  } catch (error) {
    throw fileTrouble(path, 'read', error);
  }
}

/** Writes a stream of a known length as an object; it can be read only once, so that nothing is tried again. */
export function putStream(
  client: ByteClient,
  stream: AsyncIterable<Buffer>,
  sizeBytes: number,
  wish: PutWish,
): Promise<ObjectReply> {
  return send(client, sizeBytes, exactly(stream, sizeBytes), wish);
}

/** Whether an ETag is the MD5 of the content; others are of objects in parts. */
export function isPlainMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

async function send(
  client: ByteClient,
  sizeBytes: number,
  chunks: AsyncIterable<Buffer>,
  { address, contentType, metadata, headers: more = {}, isNew, signal, onBytes }: PutWish,
): Promise<ObjectReply> {
  const md5 = createHash('md5');
  let sentBytes = 0;
  let isOver = false;
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      // After an early answer one may still be on its way from the disk, and it goes nowhere.
      if (isOver) return;
      md5.update(chunk);
      sentBytes += chunk.length;
      onBytes(chunk.length);
      yield chunk;
    }
  }
  const headers: Record<string, string> = { 'content-type': headerText(contentType) };
  for (const [name, value] of Object.entries(more)) headers[name] = headerText(value);
  for (const [name, value] of Object.entries(metadata)) headers[`x-meta-${name}`] = headerText(value);
  if (isNew) headers['if-none-match'] = '*';
  try {
    const body = { sizeBytes, chunks: hashed() };
    const response = await client.send({ method: 'PUT', path: objectPath(address), headers, body, signal });
    const object = parseJson(await client.text(response, signal)) as ObjectReply;
    const sent = md5.digest('hex');
    if (!isPlainMd5(object.etag) || object.etag === sent) return object;
    throw new HoldfastError('backend', `Other bytes arrived than were sent: MD5 ${object.etag}, not ${sent}.`);
  } catch (error) {
    isOver = true;
    onBytes(-sentBytes);
    throw error;
  }
}

/** Headers carry bytes, which Node wants as one character each; these are the bytes of UTF-8. */
function headerText(value: string): string {
  return Buffer.from(value).toString('latin1');
}
