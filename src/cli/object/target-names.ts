import { HoldfastError } from '../../kernel/errors/errors.ts';

const nameBytesMax = 255;

/**
 * Where the objects of a listing go as files below a directory. Keys are opaque, file names are not: a key that cannot be a
 * path is refused by its name, or encoded so that `decodeURIComponent` of the path gives the key back, which also keeps any
 * two keys apart. Keys must come in byte order, as listings give them: then the objects that later keys could take for
 * directories are few, each the beginning of the next.
 */
export class TargetNames {
  readonly #isEncoding: boolean;
  /** Keys that became files and below which keys may still come. */
  readonly #files: string[] = [];

  constructor(isEncoding: boolean) {
    this.#isEncoding = isEncoding;
  }

  /** The path of the next key, with `/` between its parts. Throws `invalid` with the reason why there is none. */
  next(key: string): string {
    const path = this.#pathOf(key);
    this.#files.push(key);
    return path;
  }

  /** The path of a directory, of a key that ends with a slash; empty for the target itself. Throws `invalid` likewise. */
  directory(key: string): string {
    // The same directory as that of a file in it.
    return this.#pathOf(`${key}x`).replace(/\/?[^/]*$/, '');
  }

  #pathOf(key: string): string {
    this.#forget(key);
    const clashes = this.#files.filter((file) => key.startsWith(`${file}/`));
    const path = this.#isEncoding ? encodedPath(key, clashes) : plainPath(key, clashes);
    for (const name of path.split('/')) {
      if (Buffer.byteLength(name) > nameBytesMax) throw refusal(`a part of it is longer than ${nameBytesMax} bytes`);
    }
    return path;
  }

  /** `/` sorts above all that could still come between a file and what is below it. */
  #forget(key: string): void {
    for (let file = this.#files.at(-1); file !== undefined; file = this.#files.at(-1)) {
      if (key.startsWith(file) && key.charAt(file.length) <= '/') return;
      this.#files.pop();
    }
  }
}

function plainPath(key: string, clashes: readonly string[]): string {
  if (clashes.length > 0) throw refusal(`"${clashes[0]}" is an object and would have to be a directory too`);
  if (key.startsWith('/')) throw refusal('it begins with a slash');
  for (const part of key.split('/')) {
    if (part === '') throw refusal('it has a part without a name');
    if (part === '.' || part === '..') throw refusal(`it has a part "${part}"`);
  }
  return key;
}

/** Beside a file of the same name there can be no directory: what is below it stands beside it, with its slash encoded. */
function encodedPath(key: string, clashes: readonly string[]): string {
  const parts = key.split('/');
  const names: string[] = [];
  let slashes = '';
  let isBesideFile = false;
  let length = -1;
  const add = (name: string) => {
    if (isBesideFile) names[names.length - 1] += `%2F${name}`;
    else names.push(name);
  };
  for (const [index, part] of parts.entries()) {
    length += part.length + 1;
    const isLast = index === parts.length - 1;
    if (part !== '') {
      add(slashes + encodedName(part));
      isBesideFile = clashes.some((file) => file.length === length);
      slashes = '';
    } else if (!isLast) slashes += '%2F';
    else if (slashes !== '' || names.length === 0) add(slashes);
    else names[names.length - 1] += '%2F';
  }
  return names.join('/');
}

function encodedName(part: string): string {
  if (part === '.' || part === '..') return part.replaceAll('.', '%2E');
  return part.replaceAll('%', '%25');
}

function refusal(reason: string): HoldfastError {
  return new HoldfastError('invalid', `${reason}; --encode-names would give it another name`);
}
