import { objectError } from './errors.ts';

/** The longest key, in bytes of UTF-8. */
export const keyBytesMax = 1024;

/**
 * Refuses what cannot be a key. Keys are opaque: dots and slashes mean nothing. U+0000 is refused because XML and one of the
 * stores cannot carry it. Throws `KeyTooLongError`, `InvalidURI`.
 */
export function requireKey(key: string): void {
  if (key.length === 0) throw objectError('InvalidURI', {}, 'The key is empty.');
  if (key.length > keyBytesMax || Buffer.byteLength(key) > keyBytesMax) {
    throw objectError('KeyTooLongError', { maximum_bytes: keyBytesMax });
  }
  if (key.includes('\0') || !key.isWellFormed()) {
    throw objectError('InvalidURI', {}, 'The key is not valid UTF-8 text, or contains U+0000.');
  }
}

/**
 * The least text above everything that begins with `prefix`, in byte order of UTF-8 (which is the order of code points):
 * its last code point is counted up. `null` when there is none, as for the empty prefix.
 */
export function successor(prefix: string): string | null {
  const points = Array.from(prefix);
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!;
    // Surrogates are no characters, and nothing is above the last code point.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    if (next <= 0x10ffff) return points.join('') + String.fromCodePoint(next);
  }
  return null;
}

/** The common prefix under which a key is told, `null` when it is told itself. */
export function commonPrefix(key: string, prefix: string, delimiter: string | null): string | null {
  if (delimiter === null || delimiter === '') return null;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? null : key.slice(0, at + delimiter.length);
}
