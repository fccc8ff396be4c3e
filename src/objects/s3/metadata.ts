import { objectError } from '../errors.ts';
import type { GivenAttributes, ObjectAttributes } from '../object.ts';
import { withoutAwsChunked } from './chunked/content-encoding.ts';
import { fromHeaderText, toHeaderText } from './header-text.ts';

/** Of all user metadata of an object, names and values, in bytes of UTF-8. */
const metadataBytesMax = 2048;
/** Of a single header that is given back as it came. */
const systemHeaderBytesMax = 2048;

const amazonPrefix = 'x-amz-meta-';
const systemHeaders = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'];
const defaultContentType = 'binary/octet-stream';

/** What a client says of an object in headers; `prefix` begins the names of its own metadata. Throws `MetadataTooLarge`. */
export function parseAttributes(
  header: (name: string) => string | undefined,
  headersFrom: (prefix: string) => Iterable<readonly [string, string]>,
  prefix = amazonPrefix,
): GivenAttributes {
  const headers: Record<string, string> = {};
  for (const name of systemHeaders) {
    const raw = header(name);
    const value = raw === undefined || name !== 'content-encoding' ? raw : withoutAwsChunked(raw);
    if (value === undefined || value === '') continue;
    if (value.length > systemHeaderBytesMax) throw objectError('MetadataTooLarge', { field: name });
    headers[name] = fromHeaderText(value);
  }
  const contentType = header('content-type') ?? '';
  if (contentType.length > systemHeaderBytesMax) throw objectError('MetadataTooLarge', { field: 'content-type' });
  return {
    contentType: contentType === '' ? defaultContentType : fromHeaderText(contentType),
    headers,
    metadata: parseMetadata(headersFrom(prefix), prefix),
  };
}

function parseMetadata(found: Iterable<readonly [string, string]>, prefix: string): Readonly<Record<string, string>> {
  const entries: [string, string][] = [];
  let sizeBytes = 0;
  for (const [name, raw] of found) {
    const value = fromHeaderText(raw);
    sizeBytes += name.length - prefix.length + Buffer.byteLength(value);
    if (sizeBytes > metadataBytesMax) throw objectError('MetadataTooLarge', { size_bytes_max: metadataBytesMax });
    entries.push([name.slice(prefix.length), value]);
  }
  // Not by assignment: `__proto__` is a name like any other.
  return Object.fromEntries(entries);
}

/** Adds the headers that give attributes back. */
export function addAttributeHeaders(
  attributes: ObjectAttributes,
  headers: Record<string, string>,
  prefix = amazonPrefix,
): void {
  headers['content-type'] = toHeaderText(attributes.contentType);
  for (const name in attributes.headers) headers[name] = toHeaderText(attributes.headers[name]!);
  for (const name in attributes.metadata) headers[prefix + name] = toHeaderText(attributes.metadata[name]!);
}
