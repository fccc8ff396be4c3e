import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, readdir, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { movedAway } from './committer.ts';
import { syncDirectory } from './durable-directories.ts';
import type { Layout } from './layout.ts';
import { errnoOf } from './problem.ts';

/** A new file system has this directory, and is empty nonetheless. */
const OF_THE_FILE_SYSTEM = 'lost+found';

/**
 * Which directory this is: set up when it is new, and refused when it is not the one that it was.
 *
 * A disk that is not mounted must never look like a directory without blobs, or every blob on it would count as lost
 * and new ones would fill the disk below. So the directory carries a marker with an id. It is written when the directory
 * is absent or empty, and never when the settings expect a certain one; what this process has seen once must stay; and
 * beside a mount point a note tells a later process that there was a marker.
 */
export class Identity {
  readonly #layout: Layout;
  readonly #expected: string | null;
  #id: string | null = null;
  #settling: Promise<string> | null = null;

  constructor(layout: Layout, expected: string | null) {
    this.#layout = layout;
    this.#expected = expected;
  }

  /** The id, once it is known. */
  get id(): string | null {
    return this.#id;
  }

  /** Resolves to the id when blobs can be written and read. Throws `unavailable`, with what to look for, when not. */
  async settle(): Promise<string> {
    // Calls that come at once wait for one setup, so that they do not see each other's half of it.
    this.#settling ??= this.#find().finally(() => (this.#settling = null));
    return this.#settling;
  }

  /** Throws `unavailable` unless the marker is still in place: an absence means something only then. */
  async check(): Promise<void> {
    if ((await this.#read()) !== this.#id) throw movedAway(this.#layout.directory);
  }

  async #find(): Promise<string> {
    const { directory, marker, blobs, temporary } = this.#layout;
    const known = await this.#read();
    const wanted = this.#id ?? this.#expected;
    if (wanted !== null && known !== wanted) {
      if (this.#id !== null) throw movedAway(directory);
      const found = known === null ? 'no marker' : `the marker ${known}`;
      throw refusal(`Directory ${directory} has ${found}, and ${wanted} is expected: mount its disk.`, 'other_marker');
    }
    if (known === null) await this.#refuseUnlessNew();
    for (const each of [blobs, temporary]) await mkdir(each, { recursive: true });
    // The marker is last: a setup that was cut off is told from a strange directory by its empty subdirectories.
    const id = known ?? (await this.#mark());
    if (known === null) for (const each of [directory, dirname(directory)]) await syncDirectory(each);
    if (await exists(join(directory, basename(marker).toUpperCase()))) {
      const message = `Directory ${directory} is on a file system that takes "A" and "a" for the same name.`;
      throw new HoldfastError('backend', message, { reason: 'case_insensitive' });
    }
    await this.#leaveNote(id);
    this.#id = id;
    return id;
  }

  /** Writes the marker as a whole, once: of two processes that set up the same directory, both use the id of one. */
  async #mark(): Promise<string> {
    const { marker } = this.#layout;
    const draft = `${marker}.${randomUUID()}`;
    await writeFile(draft, `${randomUUID()}\n`, { flush: true });
    try {
      await link(draft, marker);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    } finally {
      await unlink(draft);
    }
    const id = await this.#read();
    if (id === null) throw refusal(`Marker ${marker} cannot be read back.`, 'no_marker');
    return id;
  }

  async #refuseUnlessNew(): Promise<void> {
    const { directory, marker, note, blobs, temporary } = this.#layout;
    if (note !== null && (await exists(note))) {
      const advice = `mount its disk, or remove ${note} to start anew`;
      throw refusal(`Directory ${directory} held blobs and is empty now: ${advice}.`, 'unmounted');
    }
    await mkdir(directory, { recursive: true });
    const ours = new Set([blobs, temporary].map((each) => basename(each)));
    for (const name of await readdir(directory)) {
      if (name === OF_THE_FILE_SYSTEM || name.startsWith(basename(marker))) continue;
      if (ours.has(name) && (await readdir(join(directory, name))).length === 0) continue;
      const advice = 'Mount its disk, or choose an empty directory.';
      throw refusal(
        `Directory ${directory} holds other files (${name}) and no ${basename(marker)}. ${advice}`,
        'strange',
      );
    }
  }

  /** Best effort: the directory above may not be ours to write to. */
  async #leaveNote(id: string): Promise<void> {
    const { directory, note } = this.#layout;
    const [own, above] = await Promise.all([stat(directory), stat(dirname(directory))]);
    if (note === null || own.dev === above.dev) return;
    try {
      await writeFile(note, `${id}\n`, { flush: true });
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
  }

  async #read(): Promise<string | null> {
    try {
      const text = (await readFile(this.#layout.marker, 'utf8')).trim();
      return text === '' ? null : text;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
  }
}

function refusal(message: string, reason: string): HoldfastError {
  return new HoldfastError('unavailable', message, { reason });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
