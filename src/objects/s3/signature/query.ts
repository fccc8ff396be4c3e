import { canonicalQueryPart, decodeQueryPart } from './uri.ts';

/** The parameter that carries a presigned URL's signature, and so is not part of what is signed. */
export const signatureParameter = 'X-Amz-Signature';

/**
 * The parameters of a query on the wire, decoded, in order; one without `=` has an empty value.
 *
 * `+` is a space, in meaning and in the signature alike. The SigV4 documentation has clients write `%20` and `%2B`, and every
 * AWS SDK does, so that only others send a bare `+`; those serialise forms (`URLSearchParams` and its like), mean a space, and
 * sign `%20`. The Go SDK's signer, radosgw's `get_v4_canonical_qs` and MinIO read it the same way, and S3 is reported to
 * accept it so (github.com/mhart/aws4fetch/issues/83). Whoever reads a query otherwise would act on what was not signed.
 *
 * Throws `InvalidURI` for broken escapes and for what is not UTF-8.
 */
export function parseQuery(rawQuery: string): readonly (readonly [name: string, value: string])[] {
  return split(rawQuery).map(([name, value]) => [decodeQueryPart(name), decodeQueryPart(value)]);
}

/**
 * The canonical query: names and values encoded once, in the order of their encoded bytes, names first. A presigned URL's own
 * signature is left out. Throws `InvalidURI`.
 */
export function canonicalQuery(rawQuery: string): string {
  if (rawQuery === '') return '';
  return split(rawQuery)
    .map(([name, value]): [string, string] => [canonicalQueryPart(name), canonicalQueryPart(value)])
    .filter(([name]) => name !== signatureParameter)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function split(rawQuery: string): [name: string, value: string][] {
  return rawQuery
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      return equals === -1 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    });
}

/** Both are ASCII, so the order of their characters is that of their bytes. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
