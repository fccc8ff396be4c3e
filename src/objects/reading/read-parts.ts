import type { Store } from '../../kernel/store/store.ts';
import { type ByteRange, chunksOf } from '../content/content.ts';
import type { ContentPart } from '../object.ts';
import { copiesOf } from '../queries/queries.ts';
import { type OpenCopy, type ReadCopyOptions, readCopy } from './read-copy.ts';

/** A piece of a part that a range of the whole asks for. */
interface Piece {
  readonly part: number;
  readonly range: ByteRange | null;
}

/** The pieces of parts, in order, that make up a range of the whole (`null`: all of it). */
export function piecesOf(parts: readonly ContentPart[], range: ByteRange | null): Piece[] {
  const pieces: Piece[] = [];
  let begin = 0;
  const from = range?.offset ?? 0;
  const to = range === null ? Number.POSITIVE_INFINITY : range.offset + range.length;
  for (const { part, sizeBytes } of parts) {
    const end = begin + sizeBytes;
    if (sizeBytes > 0 && end > from && begin < to) {
      const offset = Math.max(from - begin, 0);
      const length = Math.min(to, end) - begin - offset;
      pieces.push({ part, range: length === sizeBytes ? null : { offset, length } });
    }
    begin = end;
  }
  return pieces;
}

/** Reads a content that stands in parts, opening each when the one before it has been read. */
export async function readParts(
  store: Store,
  contentId: string,
  pieces: readonly Piece[],
  options: ReadCopyOptions,
): Promise<OpenCopy> {
  const open = async ({ part, range }: Piece) => {
    const copies = await store.read((reader) => copiesOf(reader, contentId, part));
    return readCopy(copies, range, options);
  };
  const [first, ...others] = pieces;
  if (first === undefined) return { content: Buffer.alloc(0), cancel: () => {} };
  let current = await open(first);
  async function* all(): AsyncGenerator<Buffer> {
    try {
      yield* chunksOf(current.content);
      for (const piece of others) {
        current = await open(piece);
        yield* chunksOf(current.content);
      }
    } finally {
      current.cancel();
    }
  }
  return { content: all(), cancel: () => current.cancel() };
}
