import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Content } from '../../content/content.ts';
import type { HttpStream } from './client.ts';
import { untilAborted } from './until-aborted.ts';

/**
 * A content as the body of a request: a buffer as it is, since it can be sent again when a kept connection turns out to be
 * dead, a sequence as a stream. A sequence of no bytes is looked at first, for a request without a body waits for nothing.
 *
 * @throws HoldfastError `invalid` for a wrong length, as far as it shows by now; the signal's reason as it is.
 */
export async function bodyOf(content: Content, sizeBytes: number, signal: AbortSignal): Promise<Buffer | HttpStream> {
  if (Buffer.isBuffer(content)) {
    checkLength(content.length, sizeBytes);
    return content;
  }
  const chunks = exactContent(content, sizeBytes);
  if (sizeBytes > 0) return { sizeBytes, chunks: () => chunks };
  await untilAborted(chunks.next(), signal);
  return Buffer.alloc(0);
}

/**
 * The chunks of a content that must have exactly `sizeBytes` bytes. Each chunk is given when the one after it has come, so
 * the last byte leaves only when the source has ended at the right length: whoever waits for that byte can not take a
 * wrong blob for whole. What the source throws is thrown unchanged.
 *
 * @throws HoldfastError `invalid` when the content is shorter or longer.
 */
async function* exactContent(content: AsyncIterable<Buffer>, sizeBytes: number): AsyncGenerator<Buffer> {
  let heldBack: Buffer | null = null;
  let cameBytes = 0;
  for await (const chunk of content) {
    if (chunk.length === 0) continue;
    cameBytes += chunk.length;
    if (cameBytes > sizeBytes) throw wrongLength('more', sizeBytes);
    if (heldBack !== null) yield heldBack;
    heldBack = chunk;
  }
  checkLength(cameBytes, sizeBytes);
  if (heldBack !== null) yield heldBack;
}

function checkLength(cameBytes: number, sizeBytes: number): void {
  if (cameBytes !== sizeBytes) throw wrongLength(cameBytes > sizeBytes ? 'more' : 'fewer', sizeBytes);
}

function wrongLength(word: 'more' | 'fewer', sizeBytes: number): HoldfastError {
  return new HoldfastError('invalid', `The content has ${word} than the ${sizeBytes} bytes that were announced.`, {
    announced_bytes: sizeBytes,
  });
}
