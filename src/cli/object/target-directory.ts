import { lstat, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { reasonOf } from '../disk-trouble.ts';

const knownMax = 10_000;

/** A directory that takes files below it, and nothing through it leads out of it. */
export class TargetDirectory {
  readonly #root: string;
  /** Directories that were seen to be ones. */
  readonly #known = new Set<string>();

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes the directory when it is not there. Throws `invalid` when it is something else. */
  static async open(path: string): Promise<TargetDirectory> {
    try {
      await mkdir(path, { recursive: true });
    } catch (error) {
      throw new HoldfastError('invalid', `${path} cannot be a directory: ${reasonOf(error)}.`, {}, error);
    }
    return new TargetDirectory(await realpath(path));
  }

  /** The path of a file below, its directories made. Throws `invalid` where a link or a file stands in the way. */
  async file(name: string): Promise<string> {
    const parts = name.split('/');
    await this.directory(parts.slice(0, -1).join('/'));
    const path = join(this.#root, name);
    const existing = await lstat(path).catch(() => null);
    if (existing === null || existing.isFile() || existing.isSymbolicLink()) return path;
    throw new HoldfastError('invalid', `"${name}" stands there already and is not a file`);
  }

  /** Makes a directory below, and those above it. */
  async directory(name: string): Promise<void> {
    if (name === '' || this.#known.has(name)) return;
    const slash = name.lastIndexOf('/');
    if (slash > 0) await this.directory(name.slice(0, slash));
    const path = join(this.#root, name);
    await mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    // A link could lead anywhere, and what is written through it would not be below this directory.
    if (!(await lstat(path)).isDirectory()) {
      throw new HoldfastError('invalid', `"${name}" stands there already and is not a directory`);
    }
    if (this.#known.size >= knownMax) this.#known.clear();
    this.#known.add(name);
  }
}
