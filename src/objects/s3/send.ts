import type { ServerResponse } from 'node:http';
import type { S3Reply, XmlElement } from './command.ts';
import { writeDocument, writeRoot, xmlDeclaration } from './xml/writer.ts';

/** One answer under way: where it goes, and what every answer carries. */
export interface Outlet {
  readonly response: ServerResponse;
  /** Headers of every answer: names and values in turn. */
  readonly common: readonly string[];
  readonly isHead: boolean;
  /** Whether the connection ends with this answer. */
  isLast: boolean;
  /** How long a client may take to receive anything at all, in milliseconds. */
  readonly sendTimeoutMs: number;
  /** Told how many bytes of a body were handed to the connection. */
  onSent?(bytes: number): void;
}

const xmlType = 'application/xml';
/** Up to here it costs less to join head and body in one string than to write two buffers. */
const joinedBytesMax = 16_384;
const emptyBody = Buffer.alloc(0);

/**
 * Sends an answer whole. Resolves when all of it was handed to the connection. What breaks in the middle of a content
 * destroys the connection: a clean end would make a client believe that it has everything.
 */
export async function sendReply(outlet: Outlet, reply: S3Reply): Promise<void> {
  const { body } = reply;
  if (body === undefined) return end(outlet, reply, emptyBody, undefined);
  if (Buffer.isBuffer(body)) return end(outlet, reply, body, undefined);
  if (typeof body === 'string') return end(outlet, reply, Buffer.from(body), xmlType);
  if ('name' in body) return end(outlet, reply, Buffer.from(writeDocument(body)), xmlType);
  if (outlet.isHead) return end(outlet, reply, emptyBody, undefined);
  return stream(outlet, reply, body);
}

/** The first line and the headers. `length` is `null` for an answer of unknown length. */
function writeHead(
  { response, common, isLast }: Outlet,
  reply: S3Reply,
  length: number | null,
  type: string | undefined,
) {
  const headers = common.slice();
  const { status, headers: own } = reply;
  let hasLength = false;
  let hasType = false;
  for (const name in own) {
    headers.push(name, own[name]!);
    if (name === 'content-length') hasLength = true;
    if (name === 'content-type') hasType = true;
  }
  if (type !== undefined && !hasType) headers.push('content-type', type);
  const mayHaveBody = status !== 204 && status !== 304 && status >= 200;
  if (length !== null && !hasLength && mayHaveBody) headers.push('content-length', String(length));
  if (isLast) headers.push('connection', 'close');
  response.writeHead(status, headers);
}

function end(outlet: Outlet, reply: S3Reply, body: Buffer, type: string | undefined): void {
  const { response, isHead } = outlet;
  writeHead(outlet, reply, body.length, type);
  if (!isHead) outlet.onSent?.(body.length);
  if (outlet.isLast) {
    // The connection ends with `end`, which is left to who reads the rest of the request first.
    if (!isHead && body.length > 0) response.write(body);
    else response.flushHeaders();
    return;
  }
  if (isHead || body.length === 0) response.end();
  else if (body.length <= joinedBytesMax) response.end(body.toString('latin1'), 'latin1');
  else response.end(body);
}

async function stream(outlet: Outlet, reply: S3Reply, content: AsyncIterable<Buffer>): Promise<void> {
  const { response } = outlet;
  writeHead(outlet, reply, null, undefined);
  const announced = Number(reply.headers?.['content-length'] ?? Number.NaN);
  let length = 0;
  try {
    for await (const chunk of content) {
      length += chunk.length;
      if (length > announced) throw new Error('more bytes than were announced');
      outlet.onSent?.(chunk.length);
      if (!response.write(chunk)) await drained(outlet);
      // Leaving the loop tells the source that nobody reads on.
      if (response.destroyed) return;
    }
    if (!Number.isNaN(announced) && length !== announced) throw new Error('fewer bytes than were announced');
  } catch (error) {
    response.destroy();
    throw error;
  }
  if (!outlet.isLast) response.end();
}

/** Waits until the client has taken what waits for it; one that takes nothing for so long is cut. */
function drained({ response, sendTimeoutMs }: Outlet): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.removeListener('drain', done);
      response.removeListener('close', done);
      response.setTimeout(0);
      response.removeListener('timeout', cut);
      resolve();
    };
    // The timeout of a socket is one of progress: bytes that leave it start it anew.
    const cut = () => response.destroy();
    response.on('drain', done);
    response.on('close', done);
    response.setTimeout(sendTimeoutMs, cut);
  });
}

/**
 * Sends the answer to long work: when the work takes longer than `patienceMs`, the answer begins with status 200 and white
 * space, so that nobody on the way gives the connection up, and what comes of the work is told in its body, errors included.
 */
export async function sendWork(
  outlet: Outlet,
  work: Promise<S3Reply>,
  patienceMs: number,
  toErrorElement: (error: unknown) => XmlElement,
): Promise<void> {
  const { response } = outlet;
  let timer: NodeJS.Timeout | null = null;
  const patience = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), patienceMs);
  });
  try {
    const first = await Promise.race([work, patience]);
    if (first !== 'late') return await sendReply(outlet, first);
  } finally {
    clearTimeout(timer!);
  }
  writeHead(outlet, { status: 200 }, null, xmlType);
  response.write(xmlDeclaration);
  const beat = setInterval(() => response.write(' '), patienceMs);
  let element: XmlElement;
  try {
    const { body } = await work;
    element = body !== undefined && typeof body === 'object' && 'name' in body ? body : { name: 'Result' };
  } catch (error) {
    element = toErrorElement(error);
  } finally {
    clearInterval(beat);
  }
  response.write(writeRoot(element));
  if (!outlet.isLast) response.end();
}
