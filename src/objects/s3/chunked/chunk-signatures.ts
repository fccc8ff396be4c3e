import { type KeyObject, hash, timingSafeEqual } from 'node:crypto';
import { objectError } from '../../errors.ts';
import { sign } from '../signature/canonical-request.ts';
import { emptySha256 } from '../signature/payload-hash.ts';
import { type CredentialScope, formatScope } from '../signature/signed-request.ts';

/** What the signatures of chunks go on from: those of a verified request. */
export interface ChunkSigning {
  readonly signingKey: KeyObject;
  readonly scope: CredentialScope;
  readonly amzDate: string;
  /** The signature of the request. */
  readonly seedSignature: string;
}

/**
 * The chain of signatures of a body in chunks, each over the one before it, so that no chunk can be changed, left out, doubled
 * or moved ("Transferring Payload in Multiple Chunks" and "trailing headers" in the Amazon S3 API reference).
 */
export class ChunkSignatures {
  readonly #signingKey: KeyObject;
  readonly #context: string;
  #previous: string;

  constructor({ signingKey, scope, amzDate, seedSignature }: ChunkSigning) {
    this.#signingKey = signingKey;
    this.#context = `${amzDate}\n${formatScope(scope)}`;
    this.#previous = seedSignature;
  }

  /** The signature of the next chunk, whose data has this SHA-256 in hexadecimal. */
  signChunk(sha256: string): string {
    return this.#sign(`AWS4-HMAC-SHA256-PAYLOAD\n${this.#context}\n${this.#previous}\n${emptySha256}\n${sha256}`);
  }

  /** The signature of the trailers, `name:value` and a line feed for each, after the last chunk. */
  signTrailers(text: string): string {
    const sha256 = hash('sha256', Buffer.from(text, 'latin1'), 'hex');
    return this.#sign(`AWS4-HMAC-SHA256-TRAILER\n${this.#context}\n${this.#previous}\n${sha256}`);
  }

  #sign(text: string): string {
    this.#previous = sign(this.#signingKey, text).toString('hex');
    return this.#previous;
  }
}

/** Both in hexadecimal, each character of `given` one byte from the wire. Throws `SignatureDoesNotMatch`. */
export function assertSignature(expected: string, given: string): void {
  const isSameLength = given.length === expected.length;
  if (isSameLength && timingSafeEqual(Buffer.from(expected, 'latin1'), Buffer.from(given, 'latin1'))) return;
  throw objectError('SignatureDoesNotMatch', { signature_provided: given });
}
