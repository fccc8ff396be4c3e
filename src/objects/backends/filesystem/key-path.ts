import { HoldfastError } from '../../../kernel/errors/errors.ts';

/**
 * Where a storage key lies below the directory of blobs.
 *
 * A key is cut into pieces; each piece but the last names a directory, the last names the file:
 *
 *     bucket/0192f3c4-5678-7abc-8def-0123456789ab   →   bucket, / 0192f3+ / c4-5+ / 678-7abc-8def-0123456789ab=
 *
 * - A cut comes after every `/`; in the first component after every 64 bytes, which no bucket's name reaches; and in the
 *   components behind it after 6, after 4 more, and then after every 64 bytes. The names that the gateway gives begin
 *   with a time in milliseconds (UUID version 7, RFC 9562 §5.7), so a directory of the first kind covers 4.7 hours and
 *   one of the second kind 4.1 seconds: a bucket of any size has directories of at most some thousand entries, and
 *   writers of one moment share a directory, which is one flush for all of them. The two cuts cost a directory each where
 *   there is less than a blob in 4.1 seconds.
 * - Where a cut comes depends only on the bytes before it, so keys with a common beginning have common directories, and a
 *   list by prefix opens only these. A cut needs a byte behind it: a key that ends there is a file beside the directory.
 * - Bytes outside of letters, digits, `_`, `.` and `-` are written as `%` and two hexadecimal digits. A last character
 *   that no encoded byte has tells what the name is: `,` a directory whose piece ended with `/` (left out), `+` another
 *   directory, `=` a file. So no key is another's directory, no name is `.` or `..`, and none has more than 193 bytes.
 * - In one directory no piece of a directory is the beginning of another's. So the pieces in byte order, a file before
 *   the directory of the same piece, gives all keys in byte order when each directory is walked at its turn.
 *
 * Names differ by case, so a file system that ignores case would mix up blobs; the directory is refused there.
 */
export interface KeyPath {
  readonly directories: readonly string[];
  readonly file: string;
}

/** What a name in a directory stands for: the bytes of its piece, one character a byte. */
export interface Piece {
  readonly bytes: string;
  readonly isDirectory: boolean;
}

const KEY_BYTES_MAX = 1024;
const FIRST_CUTS = [64] as const;
const LATER_CUTS = [6, 4, 64] as const;
const SAFE = /^[A-Za-z0-9_.-]*$/;
const UNSAFE = /[^A-Za-z0-9_.-]/g;

/**
 * The bytes of a key, one character a byte, so that strings compare as bytes do.
 * Throws `invalid` for what is no key: empty, longer than 1,024 bytes in UTF-8, or not well-formed.
 */
export function keyBytes(key: string): string {
  const bytes = bytesOfText(key);
  if (bytes.length > 0 && bytes.length <= KEY_BYTES_MAX && key.isWellFormed()) return bytes;
  const message = `A storage key has 1 to ${KEY_BYTES_MAX} bytes of well-formed Unicode.`;
  throw new HoldfastError('invalid', message, { field: 'key', provided_value: key.slice(0, 100) });
}

/** As {@link keyBytes}, for a prefix or the start of a page, which may be any text. */
export function bytesOfText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function keyOfBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export function keyPath(key: string): KeyPath {
  const pieces = cut(keyBytes(key));
  const last = pieces.pop() ?? '';
  return { directories: pieces.map((piece) => directoryName(piece)), file: `${encode(last)}=` };
}

/** The directories that hold every key with this prefix, and the bytes of the prefix that they stand for. */
export function directoriesOfPrefix(prefixBytes: string): { directories: readonly string[]; bytes: string } {
  const pieces = cut(prefixBytes);
  // What is behind the last cut is a part of names in there; a prefix that ends at a cut may end a file's name too.
  const rest = pieces.pop() ?? '';
  const bytes = prefixBytes.slice(0, prefixBytes.length - rest.length);
  return { directories: pieces.map((piece) => directoryName(piece)), bytes };
}

/** What a name stands for; `null` for one that is not of ours. */
export function pieceOfName(name: string): Piece | null {
  const encoded = name.slice(0, -1);
  const bytes = encoded.includes('%') ? decode(encoded) : encoded;
  if (encode(bytes) !== encoded) return null;
  const last = name.at(-1);
  if (last === '=') return { bytes, isDirectory: false };
  if (last === '+') return { bytes, isDirectory: true };
  return last === ',' ? { bytes: `${bytes}/`, isDirectory: true } : null;
}

/** For sorting: byte order, and a file before the directory of the same piece. */
export function comparePieces(a: Piece, b: Piece): number {
  if (a.bytes !== b.bytes) return a.bytes < b.bytes ? -1 : 1;
  return Number(a.isDirectory) - Number(b.isDirectory);
}

function cut(bytes: string): string[] {
  const pieces: string[] = [];
  let cuts: readonly number[] = FIRST_CUTS;
  let start = 0;
  for (let turn = 0; ; turn++) {
    const lengthMax = cuts[Math.min(turn, cuts.length - 1)] ?? 64;
    const slash = bytes.indexOf('/', start);
    const isAtSlash = slash >= 0 && slash < start + lengthMax;
    const end = isAtSlash ? slash + 1 : start + lengthMax;
    if (end >= bytes.length) break;
    pieces.push(bytes.slice(start, end));
    start = end;
    if (!isAtSlash) continue;
    cuts = LATER_CUTS;
    turn = -1;
  }
  pieces.push(bytes.slice(start));
  return pieces;
}

function directoryName(piece: string): string {
  return piece.endsWith('/') ? `${encode(piece.slice(0, -1))},` : `${encode(piece)}+`;
}

function encode(bytes: string): string {
  if (SAFE.test(bytes)) return bytes;
  return bytes.replace(UNSAFE, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

function decode(encoded: string): string {
  return encoded.replace(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
