import { createHash } from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { HttpReply } from '../http/reply.ts';

/** A body of known length that is read once, and hashed as it passes. */
export class DigestedStream {
  readonly sizeBytes: number;
  readonly #chunks: () => AsyncGenerator<Buffer>;
  readonly #hash = createHash('md5');
  #digest: string | null = null;

  constructor(sizeBytes: number, chunks: () => AsyncGenerator<Buffer>) {
    this.sizeBytes = sizeBytes;
    this.#chunks = chunks;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#chunks()) {
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  /** The MD5 of what passed, in hexadecimal. */
  get md5(): string {
    this.#digest ??= this.#hash.digest('hex');
    return this.#digest;
  }
}

/**
 * Compares what was sent with what a server says it stored. An unsigned stream has no other proof. `unknown` when the ETag
 * is no MD5 of the content: its form says so, or the server encrypts with keys that make it another
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
 *
 * @throws HoldfastError `backend` when they differ.
 */
export function checkEtag(reply: HttpReply, stream: DigestedStream, who: string): 'same' | 'unknown' {
  const etag = /^"?([0-9a-fA-F]{32})"?$/.exec(reply.header('etag') ?? '')?.[1];
  const isByCustomer = reply.header('x-amz-server-side-encryption-customer-algorithm') !== undefined;
  const isByKms = reply.header('x-amz-server-side-encryption')?.startsWith('aws:kms') ?? false;
  if (etag === undefined || isByCustomer || isByKms) return 'unknown';
  if (etag.toLowerCase() === stream.md5) return 'same';
  const sentence = `${who} stored other bytes than were sent: the MD5 that it tells differs.`;
  throw new HoldfastError('backend', sentence, { reason: 'damaged' });
}
