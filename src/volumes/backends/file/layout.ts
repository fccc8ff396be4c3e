import { join, resolve } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/;
const IMAGE_SUFFIX = '.img';
const RECORD_SUFFIX = '.json';

export type Place = 'live' | 'trash';

/** Where everything is. Names are checked here, before they can become part of a path. */
export class Layout {
  readonly directory: string;
  /** Its presence says that this directory, and not an empty mount point, is the one that holds the images. */
  readonly marker: string;
  readonly snapshotsDirectory: string;
  /** Half-written files, by the name of their image; nothing in here is ever read. */
  readonly temporaryDirectory: string;

  constructor(directory: string) {
    this.directory = resolve(directory);
    this.marker = join(this.directory, '.holdfast-files');
    this.snapshotsDirectory = join(this.directory, 'snapshots');
    this.temporaryDirectory = join(this.directory, 'tmp');
  }

  /** Every directory inside {@link directory}. */
  get subdirectories(): readonly string[] {
    return [
      this.placeDirectory('live'),
      this.placeDirectory('trash'),
      this.snapshotsDirectory,
      this.temporaryDirectory,
    ];
  }

  placeDirectory(place: Place): string {
    return join(this.directory, place === 'live' ? 'images' : 'trash');
  }

  imageFile(place: Place, image: string): string {
    return join(this.placeDirectory(place), checkName('image', image) + IMAGE_SUFFIX);
  }

  recordFile(place: Place, image: string): string {
    return join(this.placeDirectory(place), checkName('image', image) + RECORD_SUFFIX);
  }

  snapshotDirectory(image: string): string {
    return join(this.snapshotsDirectory, checkName('image', image));
  }

  snapshotFile(image: string, snapshot: string): string {
    return join(this.snapshotDirectory(image), checkName('snapshot', snapshot) + IMAGE_SUFFIX);
  }
}

/** The name of the image that has a file of this name; `null` for a file that belongs to none. */
export function imageOfFile(fileName: string): string | null {
  return nameBefore(fileName, IMAGE_SUFFIX) ?? nameBefore(fileName, RECORD_SUFFIX);
}

/** The name of the snapshot that has a file of this name; `null` for a file that belongs to none. */
export function snapshotOfFile(fileName: string): string | null {
  return nameBefore(fileName, IMAGE_SUFFIX);
}

/** Throws `invalid` for a name that might reach another file than its own. */
export function checkName(what: 'image' | 'snapshot', name: string): string {
  if (isName(name)) return name;
  const message = `A file ${what} name consists of at most 201 letters, digits, "-", "_" and single ".".`;
  throw new HoldfastError('invalid', message, { field: what, provided_value: name.slice(0, 300) });
}

function nameBefore(fileName: string, suffix: string): string | null {
  const name = fileName.endsWith(suffix) ? fileName.slice(0, -suffix.length) : '';
  return isName(name) ? name : null;
}

function isName(name: string): boolean {
  return NAME.test(name) && !name.includes('..');
}
