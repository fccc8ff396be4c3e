/**
 * A `Content-Encoding` without `aws-chunked`, which is of the transfer and not of the object; `undefined` when nothing is
 * left. The order of the others stays.
 */
export function withoutAwsChunked(contentEncoding: string): string | undefined {
  const codings = contentEncoding.split(',').map((coding) => coding.trim());
  if (!codings.some(isAwsChunked)) return contentEncoding;
  const left = codings.filter((coding) => coding !== '' && !isAwsChunked(coding));
  return left.length === 0 ? undefined : left.join(', ');
}

function isAwsChunked(coding: string): boolean {
  return coding.toLowerCase() === 'aws-chunked';
}
