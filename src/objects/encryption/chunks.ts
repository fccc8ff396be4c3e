import { type CipherGCM, type KeyObject, createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { ByteRange } from '../content/content.ts';
import { regroup } from '../content/regroup.ts';

/** Plain bytes in a chunk of what is written now; what was written says its own. */
export const defaultChunkBytes = 65_536;
/** What a chunk has more than its plain bytes. */
export const tagBytes = 16;

/**
 * A sequence of bytes encrypted in chunks (AES-256-GCM), each of which can be read alone. The nonce is the number of the
 * chunk, since a data key is used for one part of one content only. Associated data are the format, what the bytes belong
 * to, how long the whole is, the chunk's number and whether it is the last one: so nothing can be cut off, put elsewhere or
 * taken from another content. A sequence of no bytes is one empty last chunk.
 */
export interface ChunkLayout {
  readonly key: Buffer;
  readonly contentId: string;
  readonly part: number;
  readonly chunkBytes: number;
  /** Of the plain bytes, all together. */
  readonly sizeBytes: number;
}

export function chunkCount({ sizeBytes, chunkBytes }: Pick<ChunkLayout, 'sizeBytes' | 'chunkBytes'>): number {
  return Math.max(1, Math.ceil(sizeBytes / chunkBytes));
}

/** How long the encrypted sequence is. */
export function sealedBytes(layout: Pick<ChunkLayout, 'sizeBytes' | 'chunkBytes'>): number {
  return layout.sizeBytes + chunkCount(layout) * tagBytes;
}

/** The chunks that a range of the plain bytes needs. */
export interface ChunkSpan {
  /** The number of the first one. */
  readonly first: number;
  /** Where they stand in the encrypted sequence. */
  readonly sealed: ByteRange;
  /** How many plain bytes before the range they give. */
  readonly skipBytes: number;
}

export function chunksFor(layout: Pick<ChunkLayout, 'sizeBytes' | 'chunkBytes'>, range: ByteRange): ChunkSpan {
  const { chunkBytes } = layout;
  const first = Math.floor(range.offset / chunkBytes);
  const last = Math.max(first, Math.ceil((range.offset + range.length) / chunkBytes) - 1);
  const stride = chunkBytes + tagBytes;
  const end = Math.min(sealedBytes(layout), (last + 1) * stride);
  const sealed = { offset: first * stride, length: end - first * stride };
  return { first, sealed, skipBytes: range.offset - first * chunkBytes };
}

/** Encrypts and decrypts the chunks of one sequence. */
export class ChunkCipher {
  readonly #layout: ChunkLayout;
  /** Not as bytes, of which each use would make such an object: that costs as much as encrypting a chunk. */
  readonly #key: KeyObject;
  readonly #lastChunk: number;
  readonly #about: Buffer;
  readonly #numbersAt: number;
  readonly #nonce = Buffer.alloc(12);

  constructor(layout: ChunkLayout) {
    this.#layout = layout;
    this.#key = createSecretKey(layout.key);
    this.#lastChunk = chunkCount(layout) - 1;
    const { contentId, part, chunkBytes, sizeBytes } = layout;
    const head = Buffer.from(`holdfast chunks 1\n${contentId}\n${part}\n${chunkBytes}\n${sizeBytes}\n`);
    // Its number and whether it is the last.
    this.#about = Buffer.concat([head, Buffer.alloc(9)]);
    this.#numbersAt = head.length;
  }

  /** Begins to encrypt a chunk, whose plain bytes may come in any pieces. Its tag stands behind it. */
  sealing(index: number): CipherGCM {
    this.#prepare(index);
    const cipher = createCipheriv('aes-256-gcm', this.#key, this.#nonce);
    cipher.setAAD(this.#about);
    return cipher;
  }

  /** The plain bytes of a chunk with its tag; `null` when it is not what was written there. */
  open(index: number, sealed: Buffer): Buffer | null {
    const length = sealed.length - tagBytes;
    if (length !== this.plainBytes(index)) return null;
    this.#prepare(index);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, this.#nonce, { authTagLength: tagBytes });
    decipher.setAAD(this.#about);
    decipher.setAuthTag(sealed.subarray(length));
    const plain = decipher.update(sealed.subarray(0, length));
    try {
      decipher.final();
    } catch {
      return null;
    }
    return plain;
  }

  /** How many plain bytes a chunk has. */
  plainBytes(index: number): number {
    const { chunkBytes, sizeBytes } = this.#layout;
    return index === this.#lastChunk ? sizeBytes - index * chunkBytes : chunkBytes;
  }

  #prepare(index: number): void {
    this.#nonce.writeUInt32BE(Math.floor(index / 0x1_0000_0000), 4);
    this.#nonce.writeUInt32BE(index >>> 0, 8);
    this.#nonce.copy(this.#about, this.#numbersAt, 4);
    this.#about[this.#numbersAt + 8] = index === this.#lastChunk ? 1 : 0;
  }
}

/** Encrypts a content that is in one buffer. */
export function sealBuffer(plain: Buffer, layout: ChunkLayout): Buffer {
  const cipher = new ChunkCipher(layout);
  const pieces: Buffer[] = [];
  const count = chunkCount(layout);
  for (let index = 0; index < count; index++) {
    const sealing = cipher.sealing(index);
    pieces.push(sealing.update(plain.subarray(index * layout.chunkBytes, (index + 1) * layout.chunkBytes)));
    sealing.final();
    pieces.push(sealing.getAuthTag());
  }
  return Buffer.concat(pieces);
}

/**
 * Encrypts chunks as they pass, piece by piece as these come: putting them together costs as much as encrypting them. What
 * the source throws is thrown: only a source that came to its whole length gets the last chunk's tag, so that one that ended
 * early has no end here either.
 */
export async function* sealChunks(source: AsyncIterable<Buffer>, layout: ChunkLayout): AsyncGenerator<Buffer> {
  const cipher = new ChunkCipher(layout);
  const count = chunkCount(layout);
  let index = 0;
  let sealing = cipher.sealing(0);
  let missing = cipher.plainBytes(0);
  for await (const plain of source) {
    for (let rest = plain; rest.length > 0;) {
      if (missing === 0) throw new Error('a content to encrypt is longer than was announced');
      const piece = rest.length <= missing ? rest : rest.subarray(0, missing);
      rest = rest.subarray(piece.length);
      missing -= piece.length;
      yield sealing.update(piece);
      if (missing > 0 || index === count - 1) continue;
      sealing.final();
      yield sealing.getAuthTag();
      sealing = cipher.sealing(++index);
      missing = cipher.plainBytes(index);
    }
  }
  if (missing > 0) throw new Error(`a content to encrypt ended after ${index} of ${count} chunks`);
  sealing.final();
  yield sealing.getAuthTag();
}

/** Decrypts chunks from number `first` on. `bad` makes the error for a chunk that is not what was written. */
export async function* openChunks(
  source: AsyncIterable<Buffer>,
  layout: ChunkLayout,
  { first, sealed }: Pick<ChunkSpan, 'first' | 'sealed'>,
  bad: (reason: string) => Error,
): AsyncGenerator<Buffer> {
  const cipher = new ChunkCipher(layout);
  let index = first;
  let countBytes = 0;
  for await (const chunk of regroup(source, layout.chunkBytes + tagBytes, sealed.length)) {
    countBytes += chunk.length;
    const plain = cipher.open(index, chunk);
    if (plain === null) throw bad(`chunk ${index} of it was changed`);
    index++;
    if (plain.length > 0) yield plain;
  }
  if (countBytes !== sealed.length) throw bad('too few bytes came');
}

/** {@link openChunks} for what is in one buffer. */
export function openBuffer(
  bytes: Buffer,
  layout: ChunkLayout,
  { first, sealed }: Pick<ChunkSpan, 'first' | 'sealed'>,
  bad: (reason: string) => Error,
): Buffer {
  if (bytes.length !== sealed.length) throw bad('too few bytes came');
  const cipher = new ChunkCipher(layout);
  const stride = layout.chunkBytes + tagBytes;
  const pieces: Buffer[] = [];
  for (let at = 0, index = first; at < bytes.length; at += stride, index++) {
    const plain = cipher.open(index, bytes.subarray(at, at + stride));
    if (plain === null) throw bad(`chunk ${index} of it was changed`);
    pieces.push(plain);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
