import { crc32 } from 'node:zlib';
import { type ByteRange, smallContentBytes } from './content.ts';
import type { SumsForm } from './form.ts';

const chunksMax = 1_024;

/** Bytes of a plain body in a chunk that is verified alone; more where there would be too many to list. */
export function chunkBytesFor(bodyBytes: number): number {
  let chunkBytes = smallContentBytes;
  while (bodyBytes > chunkBytes * chunksMax) chunkBytes *= 2;
  return chunkBytes;
}

/** As many checksums as a plain body will have, all of them zero; `null` for one of one chunk, which is verified whole. */
export function draftSums(bodyBytes: number): SumsForm | null {
  if (bodyBytes <= smallContentBytes) return null;
  const chunkBytes = chunkBytesFor(bodyBytes);
  return { chunkBytes, crc32s: Array.from({ length: Math.ceil(bodyBytes / chunkBytes) }, () => 0) };
}

/** {@link draftSums} with the checksums of a body in one buffer. */
export function sumsOf(body: Buffer): SumsForm | null {
  const draft = draftSums(body.length);
  if (draft === null) return null;
  const { chunkBytes, crc32s } = draft;
  return {
    chunkBytes,
    crc32s: crc32s.map((_, index) => crc32(body.subarray(index * chunkBytes, (index + 1) * chunkBytes))),
  };
}

/** Computes the checksum of each chunk of bytes that pass in pieces of any length. */
export class ChunkSums {
  readonly #chunkBytes: number;
  readonly #done: number[] = [];
  #sum = 0;
  #bytes = 0;

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  add(piece: Buffer): void {
    for (let rest = piece; rest.length > 0;) {
      const taken = rest.subarray(0, this.#chunkBytes - this.#bytes);
      this.#sum = crc32(taken, this.#sum);
      this.#bytes += taken.length;
      if (this.#bytes === this.#chunkBytes) this.#end();
      rest = rest.subarray(taken.length);
    }
  }

  /** Call it once, after the last byte. */
  finish(): SumsForm {
    if (this.#bytes > 0) this.#end();
    return { chunkBytes: this.#chunkBytes, crc32s: this.#done };
  }

  #end(): void {
    this.#done.push(this.#sum);
    this.#sum = 0;
    this.#bytes = 0;
  }
}

/** The chunks that a range of a plain body needs. */
export interface SummedSpan {
  /** The number of the first one. */
  readonly first: number;
  /** Where they stand in the body. */
  readonly body: ByteRange;
  /** How many bytes before the range they give. */
  readonly skipBytes: number;
}

export function summedChunksFor({ chunkBytes }: SumsForm, bodyBytes: number, range: ByteRange): SummedSpan {
  const first = Math.floor(range.offset / chunkBytes);
  const offset = first * chunkBytes;
  const end = Math.min(bodyBytes, Math.ceil((range.offset + range.length) / chunkBytes) * chunkBytes);
  return { first, body: { offset, length: end - offset }, skipBytes: range.offset - offset };
}

type Bad = (reason: string) => Error;

/**
 * Gives the bytes of whole chunks of a body out when the chunk they are of was verified. `bad` makes the error for one that
 * is not.
 */
export async function* verifiedChunks(
  source: AsyncIterable<Buffer>,
  sums: SumsForm,
  { first, body }: SummedSpan,
  bad: Bad,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let sum = 0;
  let countBytes = 0;
  let index = first;
  for await (const piece of source) {
    for (let rest = piece; rest.length > 0;) {
      const endBytes = Math.min(body.length, (index - first + 1) * sums.chunkBytes);
      const taken = rest.subarray(0, endBytes - countBytes);
      if (taken.length === 0) throw bad('too many bytes came');
      held.push(taken);
      sum = crc32(taken, sum);
      countBytes += taken.length;
      rest = rest.subarray(taken.length);
      if (countBytes < endBytes) continue;
      if (sum !== sums.crc32s[index]) throw changed(sums, index, bad);
      yield* held;
      held = [];
      sum = 0;
      index++;
    }
  }
  if (countBytes !== body.length) throw bad('too few bytes came');
}

/** {@link verifiedChunks} for what is in one buffer. */
export function verifiedBuffer(bytes: Buffer, sums: SumsForm, { first, body }: SummedSpan, bad: Bad): Buffer {
  if (bytes.length !== body.length) throw bad('too few bytes came');
  for (let at = 0, index = first; at < bytes.length; at += sums.chunkBytes, index++) {
    if (crc32(bytes.subarray(at, at + sums.chunkBytes)) !== sums.crc32s[index]) throw changed(sums, index, bad);
  }
  return bytes;
}

function changed({ crc32s }: SumsForm, index: number, bad: Bad): Error {
  return bad(crc32s.length === 1 ? 'its checksum is wrong' : `chunk ${index} of it was changed`);
}
