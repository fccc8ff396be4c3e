import { requireKnownHeader } from '../amz-headers.ts';
import { malformedForm } from './malformed-form.ts';

/** The fields of a form, as if they had come as headers of a PUT. */
export interface FormHeaders {
  header(name: string): string | undefined;
  headersFrom(prefix: string): Iterable<readonly [string, string]>;
}

/** What signs the form and says nothing of the object. */
const ofSignature: ReadonlySet<string> = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-signature',
]);

/** A header's name (RFC 9110, 5.6.2), since metadata comes back as headers. */
const token = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Throws `MalformedPOSTRequest` for fields that could not be headers, and for `x-amz-` fields what `requireKnownHeader` throws.
 * @param fields by name in lower case.
 * @param tags the form's tags as the header has them, because a form brings them as XML.
 */
export function formHeaders(fields: ReadonlyMap<string, string>, tags: string | undefined): FormHeaders {
  const headers = new Map<string, string>();
  for (const [name, value] of fields) {
    if (name === 'tagging' || ofSignature.has(name)) continue;
    const header = name === 'acl' ? 'x-amz-acl' : name;
    if (header.startsWith('x-amz-')) {
      if (!token.test(header)) throw malformedForm(`${JSON.stringify(header.slice(0, 100))} is no name of a header.`);
      requireKnownHeader(header, value, true);
    }
    // Readers of headers expect one character for each byte.
    headers.set(header, Buffer.from(value).toString('latin1'));
  }
  if (tags !== undefined) headers.set('x-amz-tagging', tags);
  return {
    header: (name) => headers.get(name),
    headersFrom: (prefix) => [...headers].filter(([name]) => name.startsWith(prefix)),
  };
}
