import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ByteRange } from '../../content/content.ts';
import type { OpenBlob } from '../backend.ts';
import type { HttpReply } from './reply.ts';

/** The header for a range (RFC 9110 §14.2). Nothing is asked of a server for no bytes. */
export function rangeHeader(range: ByteRange | null): string | null {
  return range === null || range.length === 0 ? null : `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

/**
 * A blob from the answer to a GET. A server that answers a range with the whole (which RFC 9110 allows) is read past what
 * was not asked for; one that announces anything else than what was asked for is refused.
 *
 * @throws HoldfastError `backend`; then the reply is cancelled.
 */
export function openReply(reply: HttpReply, range: ByteRange | null, who: string): OpenBlob {
  try {
    return open(reply, range, who);
  } catch (error) {
    reply.cancel();
    throw error;
  }
}

function open(reply: HttpReply, range: ByteRange | null, who: string): OpenBlob {
  const encoding = reply.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') throw lie(who, 'gave an encoded body that was not asked for');
  const whole = reply.status === 206 ? sizeOfPart(reply, range, who) : reply.contentLength;
  if (whole === null) throw lie(who, 'does not tell the size of the blob');
  const { offset, length } = range ?? { offset: 0, length: whole };
  if (reply.status === 416 || offset + length > whole) throw lie(who, 'has a blob that is shorter than the range');
  const comesBytes = reply.status === 206 ? length : whole;
  const skipBytes = reply.status === 206 ? 0 : offset;
  const content = window(reply.chunks(), { skipBytes, length, comesBytes, who });
  return { sizeBytes: whole, content, cancel: () => reply.cancel() };
}

/** The size of the whole blob, from a Content-Range that must be the one asked for. */
function sizeOfPart(reply: HttpReply, range: ByteRange | null, who: string): number {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(reply.header('content-range') ?? '');
  if (match === null || range === null) throw lie(who, 'answered with a range that cannot be read');
  const [first, last, whole] = match.slice(1).map(Number) as [number, number, number];
  const isAsked = first === range.offset && last - first + 1 === range.length;
  const isAnnounced = reply.contentLength === null || reply.contentLength === range.length;
  if (!isAsked || !isAnnounced) throw lie(who, 'answered with another range than the one asked for');
  return whole;
}

interface Window {
  readonly skipBytes: number;
  readonly length: number;
  /** How many bytes the answer announced. */
  readonly comesBytes: number;
  readonly who: string;
}

/** Part of a stream; ends only when all of the part came, and throws when the stream is not as long as announced. */
async function* window(chunks: AsyncIterable<Buffer>, { skipBytes, length, comesBytes, who }: Window) {
  const end = skipBytes + length;
  let cameBytes = 0;
  for await (const chunk of chunks) {
    const from = Math.max(skipBytes - cameBytes, 0);
    const part = chunk.subarray(from, Math.max(end - cameBytes, from));
    cameBytes += chunk.length;
    if (cameBytes > comesBytes) throw lie(who, `sent more than the ${comesBytes} bytes that it announced`);
    if (part.length > 0) yield part;
    // What follows the part is not waited for; leaving the loop frees the connection.
    if (cameBytes >= end && end < comesBytes) return;
  }
  if (cameBytes < end) throw lie(who, `sent ${cameBytes} of the ${comesBytes} bytes that it announced`);
}

function lie(who: string, what: string): HoldfastError {
  return new HoldfastError('backend', `${who} ${what}.`);
}
