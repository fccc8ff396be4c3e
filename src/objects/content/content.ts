/**
 * Bytes on their way. One buffer for what is small: it is hashed and written with one call each, where a stream costs
 * more than the work. Anything else is a sequence of chunks that is read once, at the pace of the reader.
 *
 * A sequence ends cleanly only when every byte came: a source that breaks throws, it never just ends.
 */
export type Content = Buffer | AsyncIterable<Buffer>;

/** What is small enough to be collected into one buffer, in bytes. */
export const smallContentBytes = 262_144;

/** A part of a blob: `length` bytes from `offset`. Both are inside the blob. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** The chunks of any content. */
export async function* chunksOf(content: Content): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(content)) {
    if (content.length > 0) yield content;
  } else {
    yield* content;
  }
}
