import { HoldfastError } from '../../kernel/errors/errors.ts';

/** A bucket, and a key or the beginning of keys in it; the key is empty for the bucket itself. */
export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

/** `bucket/key` as people write it; everything behind the first slash is the key. Throws `invalid`. */
export function parseAddress(text: string): ObjectAddress {
  const slash = text.indexOf('/');
  const bucket = slash < 0 ? text : text.slice(0, slash);
  const key = slash < 0 ? '' : text.slice(slash + 1);
  if (!/^[A-Za-z0-9][\w.-]*$/.test(bucket)) {
    throw new HoldfastError('invalid', `"${text.slice(0, 100)}" does not begin with the name of a bucket.`, {
      field: 'bucket',
    });
  }
  return { bucket, key };
}

/** The same where a key must be there. Throws `invalid`. */
export function parseObjectAddress(text: string): ObjectAddress {
  const address = parseAddress(text);
  if (address.key !== '') return address;
  throw new HoldfastError('invalid', `"${text}" names no object: write ${address.bucket}/<key>.`, { field: 'key' });
}

/**
 * Where the API has an object, as it goes over the wire. Slashes stay, everything else that an address cannot carry is
 * encoded; `.` and `..` are parts of a key like any others.
 */
export function objectPath({ bucket, key }: ObjectAddress, suffix = ''): string {
  return `/api/v1/objects/${encodeURIComponent(bucket)}/${key.split('/').map(encodeURIComponent).join('/')}${suffix}`;
}

/** The beginning of all keys below a key, as of the files in a directory: `logs` does not mean `logs2`. */
export function prefixBelow(key: string): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`;
}

/** The last part of a key, empty when it ends with a slash. */
export function baseName(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** A name for a line of text: control characters could move the cursor or end the line. */
export function printable(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character.codePointAt(0)! < 0x100
      ? `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`
      : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
