import { type Hash, createHash, hash } from 'node:crypto';
import type { HoldfastError } from '../../../kernel/errors/errors.ts';
import { objectError } from '../../errors.ts';
import { emptySha256 } from '../signature/payload-hash.ts';
import { ChunkSignatures, type ChunkSigning, assertSignature } from './chunk-signatures.ts';
import { LineReader } from './line-reader.ts';
import { Trailers } from './trailers.ts';

export interface ChunkedOptions {
  /** `x-amz-decoded-content-length`: the payload's length, which must be kept exactly. */
  readonly decodedLength: number;
  /** What signs the chunks; `null` when they are not signed. */
  readonly signing: ChunkSigning | null;
  /** Whether trailers may follow; with signed chunks they must then be signed as well. */
  readonly hasTrailers: boolean;
  /** Names that `x-amz-trailer` announces, in lower case. */
  readonly trailers: readonly string[];
  /** How small a chunk may be that is not the last; 8 KiB as in S3 by default. */
  readonly chunkBytesMin?: number;
}

const chunkBytesMinOfS3 = 8192;

/** Of a chunk's header, in characters: a size and a signature have 97, and a trailer's value a few dozen. */
const lineLengthMax = 1024;

/**
 * Decodes a body in `aws-chunked` framing, piece by piece, for objects of any size: nothing is held but an unfinished line.
 * The payload may be used as it comes, but is only known to be what the client signed and sent, all of it and nothing else,
 * once `end` has returned; until then nothing may be committed.
 *
 * Throws `IncompleteBody` for broken framing and wrong lengths, `SignatureDoesNotMatch`, `InvalidChunkSizeError` and
 * `MalformedTrailerError`. After an error every call throws it again.
 */
export class ChunkedDecoder {
  readonly #decodedLength: number;
  readonly #chunkBytesMin: number;
  readonly #hasTrailers: boolean;
  readonly #signatures: ChunkSignatures | null;
  readonly #trailers: Trailers;
  readonly #lines = new LineReader(lineLengthMax);
  #state: 'header' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done' = 'header';
  #failure: unknown;
  /** Of the payload, including the current chunk. */
  #announcedBytes = 0;
  #chunkBytes = 0;
  #missingBytes = 0;
  #signature = '';
  #hash: Hash | null = null;

  constructor({ decodedLength, signing, hasTrailers, trailers, chunkBytesMin = chunkBytesMinOfS3 }: ChunkedOptions) {
    this.#decodedLength = decodedLength;
    this.#chunkBytesMin = chunkBytesMin;
    this.#hasTrailers = hasTrailers;
    this.#signatures = signing === null ? null : new ChunkSignatures(signing);
    this.#trailers = new Trailers(trailers, hasTrailers ? this.#signatures : null);
  }

  /**
   * Takes the next bytes from the wire, and returns what they hold of the payload as views of them. The last byte of a chunk
   * is only handed on when the chunk's signature is right.
   */
  push(wire: Buffer): Buffer[] {
    return this.#guard(() => {
      const slices: Buffer[] = [];
      let offset = 0;
      while (offset < wire.length) offset = this.#step(wire, offset, slices);
      return slices;
    });
  }

  /** To be called when the wire has ended: the body is whole, and these are its trailers. */
  end(): { readonly trailers: ReadonlyMap<string, string> } {
    return this.#guard(() => {
      if (this.#state !== 'done') throw incomplete('it ended before its last chunk.');
      return { trailers: this.#trailers.values };
    });
  }

  #guard<T>(work: () => T): T {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return work();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Takes some bytes at `offset`; returns where the next ones are. */
  #step(wire: Buffer, offset: number, slices: Buffer[]): number {
    switch (this.#state) {
      case 'data':
        return this.#takeData(wire, offset, slices);
      case 'data-cr':
        if (wire[offset] !== 0x0d) throw incomplete('a chunk does not end where its size says.');
        this.#state = 'data-lf';
        return offset + 1;
      case 'data-lf':
        if (wire[offset] !== 0x0a) throw incomplete('a chunk does not end where its size says.');
        this.#state = 'header';
        return offset + 1;
      case 'header':
      case 'trailer':
        return this.#takeLine(wire, offset);
      case 'done':
        throw incomplete('something follows its end.');
    }
    return this.#state satisfies never;
  }

  #takeData(wire: Buffer, offset: number, slices: Buffer[]): number {
    const end = Math.min(wire.length, offset + this.#missingBytes);
    const slice = wire.subarray(offset, end);
    this.#missingBytes -= slice.length;
    if (this.#signatures !== null) this.#verifyData(this.#signatures, slice);
    slices.push(slice);
    if (this.#missingBytes === 0) this.#state = 'data-cr';
    return end;
  }

  #verifyData(signatures: ChunkSignatures, slice: Buffer): void {
    const isWhole = slice.length === this.#chunkBytes;
    if (!isWhole) {
      this.#hash ??= createHash('sha256');
      this.#hash.update(slice);
    }
    if (this.#missingBytes > 0) return;
    const sha256 = this.#hash === null ? hash('sha256', slice, 'hex') : this.#hash.digest('hex');
    this.#hash = null;
    assertSignature(signatures.signChunk(sha256), this.#signature);
  }

  #takeLine(wire: Buffer, offset: number): number {
    const isTrailer = this.#state === 'trailer';
    const held = this.#lines.heldLength;
    const line = this.#lines.read(wire, offset);
    if (line === null) return wire.length;
    if (line === undefined) {
      throw isTrailer ? objectError('MalformedTrailerError') : incomplete('the header of a chunk is too long.');
    }
    if (isTrailer) this.#takeTrailer(line);
    else this.#takeHeader(line);
    return offset + line.length - held;
  }

  #takeHeader(line: string): void {
    const found = (this.#signatures === null ? /^([0-9a-fA-F]{1,13})\r\n$/ : signedHeader).exec(line);
    if (found === null) throw incomplete('the header of a chunk is malformed.');
    const size = Number.parseInt(found[1]!, 16);
    this.#signature = found[2] ?? '';
    if (size === 0) {
      this.#takeLastChunk();
      return;
    }
    const isAfterSmall = this.#announcedBytes > 0 && this.#chunkBytes < this.#chunkBytesMin;
    if (isAfterSmall) {
      const message = `Only the last chunk is allowed to have a size less than ${this.#chunkBytesMin} bytes.`;
      throw objectError('InvalidChunkSizeError', { bad_chunk_size: this.#chunkBytes }, message);
    }
    if (size > this.#decodedLength - this.#announcedBytes) {
      throw incomplete('it is longer than x-amz-decoded-content-length says.');
    }
    this.#announcedBytes += size;
    this.#chunkBytes = size;
    this.#missingBytes = size;
    this.#state = 'data';
  }

  #takeLastChunk(): void {
    if (this.#announcedBytes !== this.#decodedLength) {
      throw incomplete('it is shorter than x-amz-decoded-content-length says.');
    }
    if (this.#signatures !== null) assertSignature(this.#signatures.signChunk(emptySha256), this.#signature);
    this.#state = 'trailer';
  }

  #takeTrailer(line: string): void {
    if (!this.#hasTrailers && line !== '\r\n') throw incomplete('something follows its last chunk.');
    if (!this.#trailers.add(line)) return;
    this.#trailers.assertComplete();
    this.#state = 'done';
  }
}

const signedHeader = /^([0-9a-fA-F]{1,13});chunk-signature=([0-9a-f]{64})\r\n$/;

function incomplete(sentence: string): HoldfastError {
  return objectError('IncompleteBody', {}, `The body in chunks is not whole: ${sentence}`);
}
