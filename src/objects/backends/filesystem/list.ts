import { opendir } from 'node:fs/promises';
import type { BlobFacts, BlobPage, ListPage } from '../backend.ts';
import type { BlobReads } from './blob-reads.ts';
import { type Piece, bytesOfText, comparePieces, directoriesOfPrefix, keyOfBytes, pieceOfName } from './key-path.ts';
import type { Layout } from './layout.ts';
import { errnoOf, toProblem } from './problem.ts';

const STATS_AT_ONCE = 8;
const READ_ENTRIES = 256;

interface Wanted {
  readonly prefix: string;
  readonly after: string;
  /** One more than the page holds, to know whether there is more. */
  readonly count: number;
  readonly signal: AbortSignal;
}

interface Found {
  readonly key: string;
  readonly path: string;
}

/** An entry of a directory that is of interest, under its name. */
interface Entry extends Piece {
  readonly name: string;
}

/** Lists blobs by walking directories in the order of their pieces, which is the byte order of the keys. */
export class BlobList {
  readonly #layout: Layout;
  readonly #reads: BlobReads;

  constructor(layout: Layout, reads: BlobReads) {
    this.#layout = layout;
    this.#reads = reads;
  }

  async page({ prefix, after = '', limit }: ListPage, signal: AbortSignal): Promise<BlobPage> {
    signal.throwIfAborted();
    const wanted: Wanted = { prefix: bytesOfText(prefix), after: bytesOfText(after), count: limit + 1, signal };
    const start = directoriesOfPrefix(wanted.prefix);
    const blobs: BlobFacts[] = [];
    let from = wanted.after;
    // A blob may be removed between the walk and the look at it; a page that lacks some is filled up.
    for (;;) {
      const rest: Wanted = { ...wanted, after: from, count: wanted.count - blobs.length };
      const found: Found[] = [];
      await this.#walk(this.#layout.blobDirectory(start.directories), start.bytes, rest, found);
      const last = found.at(-1);
      blobs.push(...(await this.#look(found, signal)));
      if (blobs.length > limit) return { blobs: blobs.slice(0, limit), isTruncated: true };
      if (last === undefined || found.length < rest.count) return { blobs, isTruncated: false };
      from = bytesOfText(last.key);
    }
  }

  /** Collects blobs of a directory, whose keys all begin with `base`, until there are enough. */
  async #walk(path: string, base: string, wanted: Wanted, found: Found[]): Promise<void> {
    let last: Entry | null = null;
    for (;;) {
      const { entries, isWhole } = await this.#entries(path, base, wanted, last);
      for (const entry of entries) {
        if (entry.isDirectory) await this.#walk(`${path}/${entry.name}`, base + entry.bytes, wanted, found);
        else found.push({ key: keyOfBytes(base + entry.bytes), path: `${path}/${entry.name}` });
        if (found.length >= wanted.count) return;
      }
      if (isWhole) return;
      last = entries.at(-1) ?? last;
    }
  }

  /**
   * The first entries of a directory behind `last` that the page may need, sorted. A directory may be of any size, so no
   * more than some pages of names are held; a file system gives names in no order, so all of them are read.
   */
  async #entries(
    path: string,
    base: string,
    wanted: Wanted,
    last: Entry | null,
  ): Promise<{ entries: Entry[]; isWhole: boolean }> {
    const entries: Entry[] = [];
    const keep = wanted.count;
    let isWhole = true;
    const shorten = (): void => {
      entries.sort(comparePieces);
      if (entries.length <= keep) return;
      entries.length = keep;
      isWhole = false;
    };
    try {
      for await (const { name } of await opendir(path, { bufferSize: READ_ENTRIES })) {
        wanted.signal.throwIfAborted();
        const piece = pieceOfName(name);
        if (piece === null || !isOfInterest(piece, base, wanted)) continue;
        if (last !== null && comparePieces(piece, last) <= 0) continue;
        entries.push({ ...piece, name });
        if (entries.length >= 4 * keep + 1000) shorten();
      }
    } catch (error) {
      // A directory that became empty may be removed meanwhile.
      if (errnoOf(error) !== 'ENOENT') throw toProblem(error, 'list its blobs', this.#layout.directory);
    }
    shorten();
    return { entries, isWhole };
  }

  async #look(found: readonly Found[], signal: AbortSignal): Promise<BlobFacts[]> {
    const facts: (BlobFacts | null)[] = found.map(() => null);
    let next = 0;
    const look = async (): Promise<void> => {
      while (next < found.length) {
        const index = next++;
        const { key, path } = found[index]!;
        const file = await this.#reads.facts(path, signal);
        if (file !== null) facts[index] = { key, ...file };
      }
    };
    await Promise.all(Array.from({ length: STATS_AT_ONCE }, look));
    return facts.filter((each) => each !== null);
  }
}

/** Whether an entry is, or may hold, a key of the page. */
function isOfInterest({ bytes, isDirectory }: Piece, base: string, { prefix, after }: Wanted): boolean {
  const whole = base + bytes;
  if (!isDirectory) return whole.startsWith(prefix) && whole > after;
  const mayHavePrefix = whole.startsWith(prefix) || prefix.startsWith(whole);
  return mayHavePrefix && (whole > after || after.startsWith(whole));
}
