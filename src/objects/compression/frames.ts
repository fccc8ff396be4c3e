import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import type { ByteRange } from '../content/content.ts';
import type { ZstdForm } from '../content/form.ts';
import { regroup } from '../content/regroup.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Own bytes in a frame (RFC 8878), each of which can be read alone; more where there would be too many frames to list. */
const leastFrameBytes = 1_048_576;
const framesMax = 2_048;
/** What does not become smaller by a twentieth is stored as it came. */
const worthwhileRatio = 0.95;
/** A frame ends with a checksum of what is in it, so that one that was changed is found out when it is read alone. */
const options = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } };

export function frameBytesFor(sizeBytes: number): number {
  let frameBytes = leastFrameBytes;
  while (sizeBytes > frameBytes * framesMax) frameBytes *= 2;
  return frameBytes;
}

export function isWorthwhile(zstd: ZstdForm, sizeBytes: number): boolean {
  return packedBytes(zstd) <= sizeBytes * worthwhileRatio;
}

/** How long all frames are together. */
export function packedBytes({ frames }: ZstdForm): number {
  return frames.reduce((sum, length) => sum + length, 0);
}

/** Compresses a content in one buffer, of at least one byte and at most one frame; `null` when it does not shrink. */
export async function compressBuffer(
  own: Buffer,
): Promise<{ readonly packed: Buffer; readonly zstd: ZstdForm } | null> {
  if (own.length === 0 || own.length > leastFrameBytes) return null;
  const packed = await compress(own, options);
  const zstd = { frameBytes: leastFrameBytes, frames: [packed.length] };
  return isWorthwhile(zstd, own.length) ? { packed, zstd } : null;
}

/** Compresses a content frame by frame; the same bytes give the same frames as long as the process lives. */
export async function* compressFrames(source: AsyncIterable<Buffer>, frameBytes: number): AsyncGenerator<Buffer> {
  for await (const frame of regroup(source, frameBytes, 1)) yield await compress(frame, options);
}

/** The frames that a range of the own bytes needs. */
export interface FrameSpan {
  readonly first: number;
  /** Where they stand in the compressed sequence. */
  readonly packed: ByteRange;
  /** How many own bytes before the range they give. */
  readonly skipBytes: number;
}

export function framesFor({ frameBytes, frames }: ZstdForm, range: ByteRange): FrameSpan {
  const first = Math.floor(range.offset / frameBytes);
  const last = Math.max(first, Math.ceil((range.offset + range.length) / frameBytes) - 1);
  const sum = (from: number, to: number) => frames.slice(from, to).reduce((total, length) => total + length, 0);
  return {
    first,
    packed: { offset: sum(0, first), length: sum(first, last + 1) },
    skipBytes: range.offset - first * frameBytes,
  };
}

/** The own bytes of frames from number `first` on, of a content of `sizeBytes`. */
export async function* expandFrames(
  source: AsyncIterable<Buffer>,
  { frameBytes, frames }: ZstdForm,
  first: number,
  sizeBytes: number,
  bad: (reason: string) => Error,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let index = first;
  for await (const chunk of source) {
    held.push(chunk);
    heldBytes += chunk.length;
    for (let length = frames[index]; length !== undefined && heldBytes >= length; length = frames[index]) {
      const bytes = held.length === 1 ? held[0]! : Buffer.concat(held);
      const wantedBytes = Math.min(frameBytes, sizeBytes - index * frameBytes);
      const own = await decompress(bytes.subarray(0, length), { maxOutputLength: wantedBytes }).catch(() => null);
      if (own?.length !== wantedBytes) throw bad(`frame ${index} of it does not expand`);
      yield own;
      held = [bytes.subarray(length)];
      heldBytes -= length;
      index++;
    }
  }
  if (heldBytes > 0) throw bad('a frame of it is not whole');
}

/** {@link expandFrames} for what is in one buffer. */
export function expandBuffer(
  packed: Buffer,
  { frameBytes, frames }: ZstdForm,
  first: number,
  sizeBytes: number,
  bad: (reason: string) => Error,
): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0, index = first; at < packed.length; index++) {
    const length = frames[index] ?? 0;
    const wantedBytes = Math.min(frameBytes, sizeBytes - index * frameBytes);
    const own = length === 0 ? null : expand(packed.subarray(at, at + length), wantedBytes);
    if (own?.length !== wantedBytes) throw bad(`frame ${index} of it does not expand`);
    pieces.push(own);
    at += length;
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

function expand(frame: Buffer, maxOutputLength: number): Buffer | null {
  try {
    return zstdDecompressSync(frame, { maxOutputLength });
  } catch {
    return null;
  }
}
