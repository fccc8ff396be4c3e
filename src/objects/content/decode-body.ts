import { expandBuffer, expandFrames, framesFor, packedBytes } from '../compression/frames.ts';
import { type ChunkLayout, chunksFor, openBuffer, openChunks } from '../encryption/chunks.ts';
import { summedChunksFor, verifiedBuffer, verifiedChunks } from './chunk-sums.ts';
import { type ByteRange, type Content, chunksOf } from './content.ts';
import type { BodyOwner } from './encode-body.ts';
import { type StoredForm, type SumsForm, sumsOfBody } from './form.ts';

/** How a range of a content's own bytes is read from its body. */
export interface BodyReading {
  /** What of the body is needed. */
  readonly range: ByteRange;
  /** Whether every piece is verified before any of it is given out, so that nothing else has to be. */
  readonly isProven: boolean;
  /** Makes own bytes of it; `bad` makes the error for what is not as it was written. */
  decode(content: Content, bad: (reason: string) => Error): Content;
}

/** One step from what stands to what was meant: undoes encryption or compression, or verifies what passes. */
interface Step {
  readonly range: ByteRange;
  buffer(bytes: Buffer, bad: (reason: string) => Error): Buffer;
  stream(chunks: AsyncIterable<Buffer>, bad: (reason: string) => Error): AsyncIterable<Buffer>;
}

/**
 * Plans reading `range` (not empty) of a body that has a form; `null` when the bytes stand there as they are wanted, and there
 * is nothing that verifies them but the checksum of the whole. `key` is the data key of an encrypted one. Throws `backend`
 * errors by `bad` alone.
 */
export function planReading(
  form: StoredForm,
  owner: BodyOwner,
  key: Buffer | null,
  range: ByteRange,
): BodyReading | null {
  const steps: Step[] = [];
  let wanted = range;
  const undo = (step: Step): void => {
    steps.unshift(step);
    wanted = step.range;
  };
  if (form.zstd !== null) undo(expanding(form.zstd, owner, wanted));
  if (form.sealed !== null) {
    if (key === null) throw new Error('an encrypted body was opened without its key');
    const sizeBytes = form.zstd === null ? owner.sizeBytes : packedBytes(form.zstd);
    const { contentId, part } = owner;
    undo(opening({ key, contentId, part, chunkBytes: form.sealed.chunkBytes, sizeBytes }, wanted));
  }
  // Whoever reads all of a body verifies it as one.
  const sums = wanted.length < form.bodyBytes ? sumsOfBody(form) : null;
  if (sums !== null) undo(verifying(sums, form.bodyBytes, wanted));
  if (steps.length === 0) return null;
  return {
    range: wanted,
    isProven: sums !== null || form.sealed !== null,
    decode(content, bad) {
      if (Buffer.isBuffer(content)) return steps.reduce((bytes, step) => step.buffer(bytes, bad), content);
      return steps.reduce((chunks, step) => step.stream(chunks, bad), chunksOf(content) as AsyncIterable<Buffer>);
    },
  };
}

function verifying(sums: SumsForm, bodyBytes: number, range: ByteRange): Step {
  const span = summedChunksFor(sums, bodyBytes, range);
  const { skipBytes } = span;
  return {
    range: span.body,
    buffer: (bytes, bad) => verifiedBuffer(bytes, sums, span, bad).subarray(skipBytes, skipBytes + range.length),
    stream: (chunks, bad) => trimmed(verifiedChunks(chunks, sums, span, bad), skipBytes, range.length, bad),
  };
}

function opening(layout: ChunkLayout, range: ByteRange): Step {
  const span = chunksFor(layout, range);
  const { skipBytes } = span;
  return {
    range: span.sealed,
    buffer: (bytes, bad) => openBuffer(bytes, layout, span, bad).subarray(skipBytes, skipBytes + range.length),
    stream: (chunks, bad) => trimmed(openChunks(chunks, layout, span, bad), skipBytes, range.length, bad),
  };
}

function expanding(zstd: NonNullable<StoredForm['zstd']>, { sizeBytes }: BodyOwner, range: ByteRange): Step {
  const { first, packed, skipBytes } = framesFor(zstd, range);
  return {
    range: packed,
    buffer: (bytes, bad) =>
      expandBuffer(bytes, zstd, first, sizeBytes, bad).subarray(skipBytes, skipBytes + range.length),
    stream: (chunks, bad) => trimmed(expandFrames(chunks, zstd, first, sizeBytes, bad), skipBytes, range.length, bad),
  };
}

/**
 * `length` bytes after the first `skipBytes`. The source is read to its end, so that all of what was needed is verified
 * before the last of it is given out.
 */
async function* trimmed(
  source: AsyncIterable<Buffer>,
  skipBytes: number,
  length: number,
  bad: (reason: string) => Error,
): AsyncGenerator<Buffer> {
  let at = -skipBytes;
  for await (const chunk of source) {
    const begin = Math.max(0, -at);
    const end = Math.min(chunk.length, length - at);
    at += chunk.length;
    if (end > begin) yield chunk.subarray(begin, end);
  }
  if (at < length) throw bad('too few bytes came');
}
