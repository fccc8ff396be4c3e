import type { HoldfastError } from '../../../kernel/errors/errors.ts';
import { objectError } from '../../errors.ts';
import { type ChunkSignatures, assertSignature } from './chunk-signatures.ts';

const signatureName = 'x-amz-trailer-signature';

/** The fields that follow the last chunk: those that were announced, each once, and with signed chunks their signature. */
export class Trailers {
  readonly values = new Map<string, string>();
  readonly #announced: readonly string[];
  readonly #signatures: ChunkSignatures | null;
  #signedText = '';
  #isSigned = false;
  /** Whether a field ended with a bare LF, so that CR LF must follow. */
  #isLineOpen = false;

  /** `signatures` where the trailers must be signed. */
  constructor(announced: readonly string[], signatures: ChunkSignatures | null) {
    this.#announced = announced;
    this.#signatures = signatures;
  }

  /** Takes one line with its end. Returns whether it was the last, an empty one. Throws `MalformedTrailerError`. */
  add(line: string): boolean {
    if (line === '\r\n') {
      // minio-go, and the example in AWS's documentation, end a field with LF CR LF, where the SDKs write CR LF.
      if (!this.#isLineOpen) return true;
      this.#isLineOpen = false;
      return false;
    }
    if (this.#isLineOpen) throw malformed('a line does not end with CR LF.');
    this.#isLineOpen = !line.endsWith('\r\n');
    const field = line.slice(0, this.#isLineOpen ? -1 : -2);
    const colon = field.indexOf(':');
    const name = field.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = field.slice(colon + 1).replaceAll(/^ +| +$/g, '');
    if (this.#isSigned) throw malformed('a field after the signature.');
    if (this.#signatures !== null && name === signatureName) {
      assertSignature(this.#signatures.signTrailers(this.#signedText), value);
      this.#isSigned = true;
      return false;
    }
    if (!this.#announced.includes(name)) throw malformed('a field that x-amz-trailer does not announce.');
    if (this.values.has(name)) throw malformed('a field stands there twice.');
    this.values.set(name, value);
    this.#signedText += `${name}:${value}\n`;
    return false;
  }

  /** Throws `MalformedTrailerError` when something is missing. */
  assertComplete(): void {
    if (this.values.size < this.#announced.length) throw malformed('an announced field is missing.');
    if (this.#signatures !== null && !this.#isSigned) throw malformed('the signature is missing.');
  }
}

function malformed(sentence: string): HoldfastError {
  return objectError('MalformedTrailerError', {}, `The trailer of the body is not valid: ${sentence}`);
}
