/**
 * Keys as paths of a file tree that any server can hold, whatever stands beneath it. Names are made of `0-9 a-z - _` alone:
 * a server cannot fold their case, take them for hidden, for a script or for its own, nor decode them twice. Every other
 * byte is `_` and two hexadecimal digits, and every name ends with what it is:
 *
 * - `…_b`: a blob; the key ends here.
 * - `…_d`: a directory; a slash follows. Only the first eight slashes of a key are directories, so that no key needs a
 *   thousand of them; later ones are bytes like others.
 * - `…_m`: a directory; the name is full and the key goes on inside.
 *
 * A name is full at some 250 characters, and in the component after the first slash at 4 bytes and then at 3 more. The
 * gateway's keys have a time in milliseconds there (UUID version 7, RFC 9562 §5.7), so that a directory covers 17 minutes, the
 * one above it 4096 of these, and no listing has to be read past all blobs of a bucket.
 *
 * Whether a byte ends a name depends only on the bytes before it, so all keys below a directory have its bytes in front,
 * and directories never interleave in the order of keys.
 */
const SLASH = 0x2f;
const slashDirectoriesMax = 8;
const timeCuts: readonly number[] = [4, 3];
/** A name is full when the next byte might not fit into 255 with it and the suffix. */
const fullNameLength = 246;
const nameShape = /^((?:[0-9a-z-]|_[0-9a-f]{2})*)_([bdm])$/;
const escapes: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  /[0-9a-z-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `_${byte.toString(16).padStart(2, '0')}`,
);

/** A directory of the tree, and the bytes that all keys below it begin with (one character a byte). */
export interface KeyDirectory {
  readonly path: readonly string[];
  readonly bytes: string;
}

/** What a name in a directory means: bytes of keys (one character a byte; with the slash, where there is one). */
export interface KeyName {
  readonly isBlob: boolean;
  readonly bytes: string;
}

/** The names from the root to the blob of a key. */
export function pathOfKey(key: string): readonly string[] {
  const { path, rest } = split(bytesOfText(key));
  return [...path, `${rest}_b`];
}

/** The deepest directory that holds all keys with this prefix. */
export function directoryOfPrefix(prefix: string): KeyDirectory {
  const { path, pathBytes } = split(prefix);
  return { path, bytes: prefix.slice(0, pathBytes) };
}

/** `null` for a name that no key has. */
export function meaningOfName(name: string): KeyName | null {
  const [, text, suffix] = nameShape.exec(name) ?? [];
  if (text === undefined) return null;
  const bytes = text.replaceAll(/_(..)/g, (_escape, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return { isBlob: suffix === 'b', bytes: suffix === 'd' ? `${bytes}/` : bytes };
}

/** The UTF-8 bytes of a text, one character a byte: such strings compare in the order of bytes. */
export function bytesOfText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function textOfBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function split(bytes: string): { path: string[]; rest: string; pathBytes: number } {
  const path: string[] = [];
  let rest = '';
  let slashes = 0;
  let pathBytes = 0;
  let cuts = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes.charCodeAt(index);
    const isDirectory = byte === SLASH && slashes < slashDirectoriesMax;
    if (isDirectory) slashes++;
    else rest += escapes[byte]!;
    const isTimeCut = slashes === 1 && !isDirectory && index + 1 - pathBytes === timeCuts[cuts];
    if (!isDirectory && !isTimeCut && rest.length < fullNameLength) continue;
    if (slashes === 1 && !isDirectory) cuts++;
    path.push(isDirectory ? `${rest}_d` : `${rest}_m`);
    rest = '';
    pathBytes = index + 1;
  }
  return { path, rest, pathBytes };
}
