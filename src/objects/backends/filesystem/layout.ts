import { dirname, basename, join } from 'node:path';
import type { KeyPath } from './key-path.ts';

/** Where everything is. */
export class Layout {
  readonly directory: string;
  /** Its presence, and the id in it, say that this directory is the one that holds the blobs, and no empty mount point. */
  readonly marker: string;
  readonly blobs: string;
  /** Files in the making. On the same file system, apart from the blobs, so that they can be swept without a search. */
  readonly temporary: string;
  /** Beside a directory that is a mount point: says, when its disk is not mounted, that there were blobs. */
  readonly note: string | null;

  constructor(directory: string) {
    this.directory = directory;
    this.marker = join(directory, '.holdfast-objects');
    this.blobs = join(directory, 'blobs');
    this.temporary = join(directory, 'tmp');
    const isRoot = dirname(directory) === directory;
    this.note = isRoot ? null : join(dirname(directory), `.${basename(directory)}.holdfast-objects`);
  }

  blob({ directories, file }: KeyPath): string {
    return `${this.blobDirectory(directories)}/${file}`;
  }

  blobDirectory(directories: readonly string[]): string {
    return directories.length === 0 ? this.blobs : `${this.blobs}/${directories.join('/')}`;
  }
}
