import { type ByteRange, type Content, chunksOf } from '../content/content.ts';
import type { Copy } from '../object.ts';
import type { OpenCopy } from './read-copy.ts';

export interface ContentCacheOptions {
  /** What is kept at most, bookkeeping included. */
  readonly bytesMax: number;
  /** Larger contents are never kept. */
  readonly contentBytesMax?: number;
}

const defaultContentBytesMax = 262_144;
/** How many contents that were read once are remembered by name. */
const seenMax = 10_000;
/** What keeping a content costs beside its bytes, roughly. */
const entryBytes = 256;

/**
 * Small contents that are read often, in memory. A content never changes and the ledger says at each read which one a key
 * stands for, so that nothing here can be out of date, whichever gateway wrote last. Only what was read to its end and found
 * right is kept, and only when it is asked for a second time: a scan of everything drives nothing out. What is encrypted is
 * not kept, since here it would stand in the clear.
 */
export class ContentCache {
  readonly #bytesMax: number;
  readonly #contentBytesMax: number;
  /** The one that was used longest ago comes first. */
  readonly #kept = new Map<string, Buffer>();
  readonly #seen = new Set<string>();
  #bytes = 0;
  hits = 0;
  misses = 0;

  constructor({ bytesMax, contentBytesMax = defaultContentBytesMax }: ContentCacheOptions) {
    this.#bytesMax = bytesMax;
    this.#contentBytesMax = Math.min(contentBytesMax, bytesMax - entryBytes);
  }

  /** What is kept now, bookkeeping included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The bytes of a part, or of a range of them, by any of its copies; `null` when they are not kept. Not to be changed. */
  find([copy]: readonly Copy[], range: ByteRange | null): Buffer | null {
    if (copy === undefined || !this.#mayKeep(copy)) return null;
    const id = idOf(copy);
    const bytes = this.#kept.get(id);
    if (bytes === undefined) {
      this.misses += 1;
      return null;
    }
    this.hits += 1;
    this.#kept.delete(id);
    this.#kept.set(id, bytes);
    return range === null ? bytes : bytes.subarray(range.offset, range.offset + range.length);
  }

  /** Takes the bytes of a whole part as they are read, if they are worth keeping. */
  keep(copy: Copy, open: OpenCopy): OpenCopy {
    if (!this.#mayKeep(copy) || !this.#isSeenAgain(idOf(copy))) return open;
    const { content } = open;
    if (!Buffer.isBuffer(content)) return { ...open, content: this.#keepAtEnd(copy, content) };
    this.#add(copy, [content]);
    return open;
  }

  /** The content breaks off when it is not right, so that only what ends cleanly is kept. */
  async *#keepAtEnd(copy: Copy, content: Content): AsyncGenerator<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of chunksOf(content)) {
      chunks.push(chunk);
      yield chunk;
    }
    this.#add(copy, chunks);
  }

  #mayKeep({ sizeBytes, form }: Copy): boolean {
    return sizeBytes <= this.#contentBytesMax && (form === null || form.sealed === null);
  }

  #isSeenAgain(id: string): boolean {
    if (this.#seen.delete(id)) return true;
    this.#seen.add(id);
    if (this.#seen.size > seenMax) this.#seen.delete(firstOf(this.#seen)!);
    return false;
  }

  #add(copy: Copy, chunks: readonly Buffer[]): void {
    const id = idOf(copy);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length !== copy.sizeBytes || this.#kept.has(id)) return;
    // Of its own: a piece of something larger would keep all of that in memory.
    const own = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const chunk of chunks) at += chunk.copy(own, at);
    this.#kept.set(id, own);
    this.#bytes += length + entryBytes;
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  #dropOldest(): void {
    const id = firstOf(this.#kept.keys())!;
    this.#bytes -= this.#kept.get(id)!.length + entryBytes;
    this.#kept.delete(id);
  }
}

function idOf({ contentId, part }: Copy): string {
  return `${contentId}/${part}`;
}

function firstOf(ids: Iterable<string>): string | undefined {
  for (const id of ids) return id;
  return undefined;
}
