import type { ObjectVersion } from '../../object.ts';
import { standardClass } from '../../storage-class.ts';
import { formatXmlTime } from '../http-time.ts';
import { escapeXml, isSpeakable } from '../xml/escape.ts';
import { tag } from '../xml/writer.ts';

/** How names stand in a listing. */
export interface NameText {
  readonly isUrlEncoded: boolean;
  /** A name as the text of an element. */
  text(name: string): string;
}

/**
 * Names as they are, or URL-encoded: when the client asked for it, and also when a name cannot stand in XML at all, which the
 * element `EncodingType` of the answer then tells.
 */
export function nameText(isAsked: boolean, names: Iterable<string>): NameText {
  let isUrlEncoded = isAsked;
  if (!isAsked) {
    for (const name of names) {
      if (isSpeakable(name)) continue;
      isUrlEncoded = true;
      break;
    }
  }
  return { isUrlEncoded, text: isUrlEncoded ? encodeName : escapeXml };
}

/** As S3 has it: everything but letters, digits, `-`, `_`, `.`, `~` and `/`. A space is `%20`, which every decoder knows. */
export function encodeName(name: string): string {
  if (/^[\w.~/-]*$/.test(name)) return name;
  return encodeURIComponent(name)
    .replaceAll('%2F', '/')
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** An owner; there is no name for people beside the id. */
export function ownerText(name: 'Owner' | 'Initiator', id: string): string {
  const text = escapeXml(id);
  return `<${name}><ID>${text}</ID><DisplayName>${text}</DisplayName></${name}>`;
}

/** What an entry of a listing says of a version with content, after its key. */
export function contentText(version: ObjectVersion): string {
  const { modifiedAtMs, etag, sizeBytes, attributes, storageClass = standardClass } = version;
  let text = `<LastModified>${formatXmlTime(modifiedAtMs)}</LastModified><ETag>&quot;${escapeXml(etag)}&quot;</ETag>`;
  for (const { algorithm, type } of attributes.checksums) {
    text += tag('ChecksumAlgorithm', algorithm) + tag('ChecksumType', type);
  }
  return `${text}<Size>${sizeBytes}</Size><StorageClass>${storageClass}</StorageClass>`;
}

export function prefixesText(prefixes: readonly string[], names: NameText): string {
  let text = '';
  for (const prefix of prefixes) {
    text += `<CommonPrefixes><Prefix>${names.text(prefix)}</Prefix></CommonPrefixes>`;
  }
  return text;
}

/** An element with a name in it. */
export function nameTag(element: string, name: string, names: NameText): string {
  return `<${element}>${names.text(name)}</${element}>`;
}
