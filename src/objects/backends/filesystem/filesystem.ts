import { constants } from 'node:fs';
import { copyFile, statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ByteRange, type Content, smallContentBytes } from '../../content/content.ts';
import type {
  BlobFacts,
  BlobPage,
  ListPage,
  ObjectBackend,
  ObjectBackendCapabilities,
  ObjectBackendHealth,
  OpenBlob,
  PutOptions,
} from '../backend.ts';
import { abortable } from '../../../kernel/concurrency/abortable.ts';
import { BlobReads } from './blob-reads.ts';
import { closeFile, openFile, syncFileData } from './calls.ts';
import { Committer } from './committer.ts';
import { exactContent } from '../../content/exact-content.ts';
import { Identity } from './identity.ts';
import { type KeyPath, keyPath } from './key-path.ts';
import { KeyQueue } from '../../../kernel/concurrency/key-queue.ts';
import { Layout } from './layout.ts';
import { BlobList } from './list.ts';
import { newOwnerTag } from './owner-tag.ts';
import { errnoOf, toProblem } from './problem.ts';
import { FlushAhead, removeQuietly, writeStream } from './stream-write.ts';
import { sweepTemporary } from './sweep.ts';

const SWEEP_INTERVAL_MS = 3_600_000;
const CLOSE_TIMEOUT_MS = 5000;

/** Clients do not wait behind the large batches of what is done in the background. */
type Committers = Readonly<Record<'prompt' | 'background', Committer>>;

export interface FilesystemBackendOptions {
  readonly directory: string;
  /** The id that the directory's marker must have; without it, a new directory is set up. */
  readonly expectedMarker: string | null;
  readonly syncSmallReads: boolean;
}

/**
 * Blobs as files of a directory.
 *
 * A put writes a temporary file and flushes it, renames it into place, and flushes the directory: a reader, or a loss of
 * power, meets no blob or all of it. Changes are made by threads of their own (`commit-thread.ts`), which share flushes
 * among them; streams are written by the thread pool, and only their renaming is a thread's. Reads need neither.
 */
export class FilesystemBackend implements ObjectBackend {
  readonly capabilities: ObjectBackendCapabilities = { serverSideCopy: true, blobBytesMax: null };
  readonly #layout: Layout;
  readonly #identity: Identity;
  readonly #reads: BlobReads;
  readonly #list: BlobList;
  readonly #changes = new KeyQueue();
  readonly #flushAhead = new FlushAhead();
  readonly #tag = newOwnerTag();
  #committers: Committers | null = null;
  #temporaries = 0;
  #nextSweepAt = 0;

  constructor({ directory, expectedMarker, syncSmallReads }: FilesystemBackendOptions) {
    this.#layout = new Layout(directory);
    this.#identity = new Identity(this.#layout, expectedMarker);
    this.#reads = new BlobReads(directory, syncSmallReads);
    this.#list = new BlobList(this.#layout, this.#reads);
  }

  async health(signal: AbortSignal): Promise<ObjectBackendHealth> {
    return this.#guarded('be used', signal, async () => {
      const id = await this.#identity.settle();
      const probe = this.#newTemporary();
      await closeFile(await openFile(probe.path, 'wx'));
      await removeQuietly(probe.path);
      await this.#sweepWhenDue();
      const { bsize, bavail, blocks } = await statfs(this.#layout.directory);
      const detail = `directory ${this.#layout.directory}, marker ${id}`;
      return { detail, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    });
  }

  async put(key: string, content: Content, { sizeBytes, signal, isBackground }: PutOptions): Promise<void> {
    const target = keyPath(key);
    const committers = await this.#ready(signal);
    const committer = isBackground === true ? committers.background : committers.prompt;
    await this.#change(key, signal, async () => {
      const chunks = exactContent(content, sizeBytes, signal);
      if (sizeBytes <= smallContentBytes) await this.#putSmall(committer, target, await collect(chunks), signal);
      else await this.#putStream(committer, target, chunks, signal);
    });
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal, into?: Buffer): Promise<OpenBlob | null> {
    const target = keyPath(key);
    if (this.#committers === null) await this.#ready(signal);
    const opened = await this.#reads.open(this.#layout.blob(target), { range, into }, signal);
    if (opened === null) await this.#check(signal);
    return opened;
  }

  async head(key: string, signal: AbortSignal): Promise<BlobFacts | null> {
    const target = keyPath(key);
    await this.#ready(signal);
    const facts = await this.#reads.facts(this.#layout.blob(target), signal);
    if (facts !== null) return { key, ...facts };
    await this.#check(signal);
    return null;
  }

  async delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    const target = keyPath(key);
    const { prompt: committer } = await this.#ready(signal);
    return this.#change(key, signal, async () => {
      const result = await committer.submit({ verb: 'remove' }, target);
      return result === 'done' ? 'deleted' : 'absent';
    });
  }

  async list(page: ListPage, signal: AbortSignal): Promise<BlobPage> {
    await this.#ready(signal);
    const result = await abortable(this.#list.page(page, signal), signal);
    if (result.blobs.length === 0) await this.#check(signal);
    return result;
  }

  async copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'> {
    const [from, to] = [keyPath(source), keyPath(target)];
    const { prompt: committer } = await this.#ready(signal);
    return this.#change(target, signal, async () => {
      const temporary = this.#newTemporary();
      try {
        // Shares the blocks where the file system can, and copies them inside the kernel where it cannot.
        const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
        await copyFile(this.#layout.blob(from), temporary.path, mode);
        const fd = await openFile(temporary.path, 'r');
        try {
          await syncFileData(fd);
        } finally {
          await closeFile(fd);
        }
      } catch (error) {
        await removeQuietly(temporary.path);
        if (errnoOf(error) !== 'ENOENT') throw toProblem(error, 'copy a blob', this.#layout.directory);
        await this.#check(signal);
        return 'absent';
      }
      await this.#rename(committer, temporary, to, signal);
      return 'copied';
    });
  }

  async close(): Promise<void> {
    // A disk that hangs must not hold up the end.
    const ended = new AbortController();
    const timeout = delay(CLOSE_TIMEOUT_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    await Promise.race([this.#changes.idle(), timeout]);
    ended.abort();
    const committers = Object.values(this.#committers ?? {});
    this.#committers = null;
    await Promise.all(committers.map((committer) => committer.close()));
  }

  /**
   * Changes of one key come one after another. A put whose caller gave up may still be under way in the operating system; the
   * delete that clears up after it must not overtake it, or the blob would appear when it is believed gone. So the turn lasts
   * as long as the work, and with the signal only the caller's part of it ends.
   */
  #change<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return abortable(this.#changes.run(key, work, signal), signal);
  }

  async #putSmall(committer: Committer, target: KeyPath, bytes: Buffer, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await committer.submit({ verb: 'write', temporary: this.#newTemporary().name, bytes }, target);
  }

  async #putStream(
    committer: Committer,
    target: KeyPath,
    chunks: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void> {
    const temporary = this.#newTemporary();
    try {
      await writeStream(temporary.path, chunks, this.#flushAhead);
    } catch (error) {
      throw signal.aborted ? signal.reason : toProblem(error, 'take a blob', this.#layout.directory);
    }
    await this.#rename(committer, temporary, target, signal);
  }

  /** The last moment at which a caller who gave up leaves nothing. */
  async #rename(
    committer: Committer,
    temporary: { readonly name: string; readonly path: string },
    target: KeyPath,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      signal.throwIfAborted();
      await committer.submit({ verb: 'rename', temporary: temporary.name }, target);
    } catch (error) {
      await removeQuietly(temporary.path);
      throw error;
    }
  }

  /** Finds out once which directory this is. */
  async #ready(signal: AbortSignal): Promise<Committers> {
    signal.throwIfAborted();
    if (this.#committers !== null) return this.#committers;
    return this.#guarded('be used', signal, async () => {
      const id = await this.#identity.settle();
      await this.#sweepWhenDue();
      const committer = (isBackground: boolean) =>
        new Committer({ directory: this.#layout.directory, id, isBackground });
      return (this.#committers ??= { prompt: committer(false), background: committer(true) });
    });
  }

  /** An absence means something only while this is still the same directory. */
  async #check(signal: AbortSignal): Promise<void> {
    await this.#guarded('be read', signal, () => this.#identity.check());
  }

  async #sweepWhenDue(): Promise<void> {
    if (Date.now() < this.#nextSweepAt) return;
    this.#nextSweepAt = Date.now() + SWEEP_INTERVAL_MS;
    await sweepTemporary(this.#layout.temporary);
  }

  async #guarded<T>(action: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await abortable(work(), signal);
    } catch (error) {
      throw signal.aborted ? signal.reason : toProblem(error, action, this.#layout.directory);
    }
  }

  #newTemporary(): { readonly name: string; readonly path: string } {
    const name = `${this.#tag}.${++this.#temporaries}`;
    return { name, path: `${this.#layout.temporary}/${name}` };
  }
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all.length === 1 && all[0] !== undefined ? all[0] : Buffer.concat(all);
}
