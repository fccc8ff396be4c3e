import { objectError } from '../../errors.ts';

const hexDigits = '0123456789ABCDEF';

/** Each byte as the signature has it: the unreserved characters of RFC 3986 stay, all else is `%XX` in upper case. */
const encodedBytes: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9._~-]/.test(character) ? character : `%${hexDigits[byte >>> 4]}${hexDigits[byte & 15]}`;
});

/**
 * The bytes that a part of a request target stands for, one character each. Throws `InvalidURI` for a broken escape, which
 * could mean two things.
 */
function decodeBytes(wire: string, isPlusSpace: boolean): string {
  if (!/[%+\u0100-\uffff]/.test(wire)) return wire;
  if (/%(?![0-9A-Fa-f]{2})|[\u0100-\uffff]/.test(wire)) throw objectError('InvalidURI');
  const spaced = isPlusSpace ? wire.replaceAll('+', ' ') : wire;
  return spaced.replaceAll(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function encodeBytes(bytes: string, keepsSlash: boolean): string {
  const kept = keepsSlash ? /^[A-Za-z0-9._~/-]*$/ : /^[A-Za-z0-9._~-]*$/;
  if (kept.test(bytes)) return bytes;
  let encoded = '';
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes.charCodeAt(index);
    encoded += keepsSlash && byte === 0x2f ? '/' : encodedBytes[byte]!;
  }
  return encoded;
}

/** The UTF-8 of a text, each byte one character. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Keeps a leading byte order mark, which is a character of a key like any other. */
function textOf(bytes: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    throw objectError('InvalidURI', {}, 'The URI is not UTF-8.');
  }
}

/** A text, such as a key, as a path that can stand on the wire; slashes stay, nothing is normalised. */
export function encodePath(text: string): string {
  return encodeBytes(bytesOf(text), true);
}

/** A name or value as it can stand in a query on the wire. */
export function encodeQueryPart(text: string): string {
  return encodeBytes(bytesOf(text), false);
}

/** The text of a path on the wire. `+` is itself. Throws `InvalidURI` for broken escapes and for what is not UTF-8. */
export function decodePath(rawPath: string): string {
  return textOf(decodeBytes(rawPath, false));
}

/** The text of a name or value of a query on the wire, where `+` is a space; see `query.ts`. Throws `InvalidURI`. */
export function decodeQueryPart(wire: string): string {
  return textOf(decodeBytes(wire, true));
}

/**
 * The canonical URI: each byte of the path encoded once, with slashes kept. S3 alone among AWS services neither encodes
 * twice nor removes `//`, `.` and `..` ("Create a canonical request" in the SigV4 documentation of IAM). Throws `InvalidURI`.
 */
export function canonicalPath(rawPath: string): string {
  return encodeBytes(decodeBytes(rawPath, false), true);
}

/** A name or value of a canonical query. Throws `InvalidURI`. */
export function canonicalQueryPart(wire: string): string {
  return encodeBytes(decodeBytes(wire, true), false);
}
