import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, readdir, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { syncDirectory } from './durable.ts';
import { errnoOf, unlessAbsent } from './errno.ts';
import type { Layout } from './layout.ts';

/** A new file system has this directory, and is empty nonetheless. */
const OF_THE_FILE_SYSTEM = new Set(['lost+found']);

/**
 * The directory of a file backend: set up when it is new, and refused when it is not the one that it was.
 *
 * A disk that is not mounted must never look like a directory without images, or every volume would count as lost. So
 * the directory carries a marker with an id, written only when the directory is new or empty. What this process has
 * seen once must stay; and where the directory is a mount point, a note beside it tells a later process the same.
 */
export class Directory {
  readonly #layout: Layout;
  #id: string | null = null;
  #settingUp: Promise<string> | null = null;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Resolves when the images can be used. Throws `unavailable`, with what to look for, when they cannot. */
  async ready(): Promise<void> {
    const id = await this.#readId();
    if (id !== null && id === this.#id) return;
    if (this.#id !== null) {
      const message = `Directory ${this.#layout.directory} does not hold the images any more; mount its disk again.`;
      throw new HoldfastError('unavailable', message);
    }
    // Calls that come at once wait for one setup, so that they do not see each other's half of it.
    this.#settingUp ??= this.#setUp(id).finally(() => (this.#settingUp = null));
    this.#id = await this.#settingUp;
  }

  async #setUp(known: string | null): Promise<string> {
    const { directory, subdirectories } = this.#layout;
    if (known === null) {
      await mkdir(directory, { recursive: true });
      await this.#refuseUnlessNew();
    }
    for (const each of subdirectories) await mkdir(each, { recursive: true });
    // The marker is last: a setup that was cut off is told from a strange directory by its empty subdirectories.
    const id = known ?? (await this.#mark());
    await this.#leaveNote(id);
    return id;
  }

  /** Writes the marker as a whole, once: of two processes that set up the same directory, both use the id of one. */
  async #mark(): Promise<string> {
    const { directory, marker } = this.#layout;
    const draft = `${marker}.${randomUUID()}`;
    await writeFile(draft, `${randomUUID()}\n`, { flush: true });
    try {
      await link(draft, marker);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    } finally {
      await unlink(draft);
    }
    await syncDirectory(directory);
    const id = await this.#readId();
    if (id === null) throw new HoldfastError('unavailable', `Marker ${marker} cannot be read back.`);
    return id;
  }

  async #refuseUnlessNew(): Promise<void> {
    const { directory, marker, subdirectories } = this.#layout;
    const note = await this.#note();
    if (note !== null && (await unlessAbsent(stat(note), null)) !== null) {
      const message = `Directory ${directory} held images and is empty now: mount its disk, or remove ${note} to start anew.`;
      throw new HoldfastError('unavailable', message);
    }
    const ours = new Set(subdirectories.map((each) => basename(each)));
    for (const name of await readdir(directory)) {
      if (OF_THE_FILE_SYSTEM.has(name) || name.startsWith(basename(marker))) continue;
      const isOursAndEmpty = ours.has(name) && (await readdir(join(directory, name))).length === 0;
      if (isOursAndEmpty) continue;
      const message = `Directory ${directory} holds other files (${name}) and no ${basename(marker)}.`;
      throw new HoldfastError('unavailable', `${message} Mount its disk, or choose an empty directory.`);
    }
  }

  /** Best effort: the directory above may not be ours to write to. */
  async #leaveNote(id: string): Promise<void> {
    const note = await this.#note();
    const [own, above] = await Promise.all([stat(this.#layout.directory), stat(dirname(this.#layout.directory))]);
    if (note === null || own.dev === above.dev) return;
    try {
      await writeFile(note, `${id}\n`, { flush: true });
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
  }

  /** The note beside the directory; `null` for the root, beside which is nothing. */
  async #note(): Promise<string | null> {
    const { directory, marker } = this.#layout;
    if (dirname(directory) === directory) return null;
    return join(dirname(directory), `.${basename(directory)}${basename(marker)}`);
  }

  async #readId(): Promise<string | null> {
    const text = await unlessAbsent(readFile(this.#layout.marker, 'utf8'), null);
    return text === null || text.trim() === '' ? null : text.trim();
  }
}
