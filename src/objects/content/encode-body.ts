import { crc32 } from 'node:zlib';
import { compressBuffer, compressFrames, packedBytes } from '../compression/frames.ts';
import { defaultChunkBytes, sealBuffer, sealChunks, sealedBytes } from '../encryption/chunks.ts';
import type { NewDataKey } from '../encryption/data-key.ts';
import { draftSums, sumsOf } from './chunk-sums.ts';
import type { FormDraft, StoredForm, ZstdForm } from './form.ts';

/** How a part of a content is to be laid down, decided once for a write, wherever and however often it is sent. */
export interface Encoding {
  /** `null`: it is not encrypted. */
  readonly key: NewDataKey | null;
  /**
   * `when-small` compresses what is in one buffer, if it shrinks; a stream's compressed length is not known before it was
   * read, so that it is only compressed when it was read before, and its frames are given.
   */
  readonly compression: 'none' | 'when-small' | ZstdForm;
}

/** What the bytes belong to: it is bound into each chunk. */
export interface BodyOwner {
  readonly contentId: string;
  readonly part: number;
  /** Of the own bytes. */
  readonly sizeBytes: number;
}

/** The body of a content that is in one buffer. */
export async function encodeBuffer(
  own: Buffer,
  { key, compression }: Encoding,
  owner: BodyOwner,
): Promise<{ readonly body: Buffer; readonly form: StoredForm | null }> {
  const compressed = compression === 'when-small' ? await compressBuffer(own) : null;
  if (key === null && compressed === null) return { body: own, form: formOfPlain(own) };
  const packed = compressed?.packed ?? own;
  const zstd = compressed?.zstd ?? null;
  const body = key === null ? packed : sealBuffer(packed, layoutOf(key, owner, packed.length));
  return { body, form: { bodyBytes: body.length, crc32: crc32(body), zstd, sealed: sealedForm(key), sums: null } };
}

function formOfPlain(body: Buffer): StoredForm | null {
  const sums = sumsOf(body);
  return sums === null ? null : { bodyBytes: body.length, crc32: crc32(body), zstd: null, sealed: null, sums };
}

/** The form of a stream that will come; `null` when it is laid down as it comes, and is verified whole. */
export function draftForm({ key, compression }: Encoding, { sizeBytes }: BodyOwner): FormDraft | null {
  const zstd = typeof compression === 'string' ? null : compression;
  if (key === null && zstd === null) {
    const sums = draftSums(sizeBytes);
    return sums === null ? null : { bodyBytes: sizeBytes, zstd, sealed: null, sums };
  }
  const packed = zstd === null ? sizeBytes : packedBytes(zstd);
  const bodyBytes = key === null ? packed : sealedBytes({ sizeBytes: packed, chunkBytes: defaultChunkBytes });
  return { bodyBytes, zstd, sealed: sealedForm(key), sums: null };
}

/** Lays a stream down as it passes. What it throws is thrown. */
export function encodeStream(
  own: AsyncIterable<Buffer>,
  { key }: Encoding,
  { zstd }: FormDraft,
  owner: BodyOwner,
): AsyncIterable<Buffer> {
  const packed = zstd === null ? own : exactly(compressFrames(own, zstd.frameBytes), zstd);
  if (key === null) return packed;
  return sealChunks(packed, layoutOf(key, owner, zstd === null ? owner.sizeBytes : packedBytes(zstd)));
}

/** Frames were measured before: another length would put all that follows in another place than the form says. */
async function* exactly(frames: AsyncIterable<Buffer>, zstd: ZstdForm): AsyncGenerator<Buffer> {
  let index = 0;
  for await (const frame of frames) {
    if (frame.length !== zstd.frames[index]) throw new Error(`frame ${index} has another length than it had before`);
    index++;
    yield frame;
  }
}

function sealedForm(key: NewDataKey | null) {
  return key === null ? null : { chunkBytes: defaultChunkBytes, key: key.wrapped };
}

function layoutOf({ bytes: key }: NewDataKey, { contentId, part }: BodyOwner, sizeBytes: number) {
  return { key, contentId, part, chunkBytes: defaultChunkBytes, sizeBytes };
}
