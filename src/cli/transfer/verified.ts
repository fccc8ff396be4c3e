import { createHash } from 'node:crypto';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Content, chunksOf } from '../../objects/content/content.ts';
import type { Facts } from './place.ts';

/**
 * Bytes on their way, which end only when as many came as were announced and their MD5 is the one that is known: until then
 * the last of them are held back, so that the other side takes nothing else for whole. Throws `backend` else.
 */
export async function* verified(
  content: Content,
  { sizeBytes, md5 }: Pick<Facts, 'sizeBytes' | 'md5'>,
): AsyncGenerator<Buffer> {
  const hash = createHash('md5');
  let length = 0;
  let held: Buffer | null = null;
  for await (const chunk of chunksOf(content)) {
    length += chunk.length;
    if (length > sizeBytes) throw damaged(`more than ${sizeBytes} bytes came`);
    hash.update(chunk);
    if (held !== null) yield held;
    held = chunk;
  }
  if (length < sizeBytes) throw damaged(`${length} of ${sizeBytes} bytes came`);
  const came = hash.digest('hex');
  if (md5 !== null && came !== md5) throw damaged(`the MD5 of what came is ${came}, not ${md5}`);
  if (held !== null) yield held;
}

function damaged(reason: string): HoldfastError {
  return new HoldfastError('backend', `The source gave other bytes than it told: ${reason}.`);
}
