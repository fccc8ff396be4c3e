import type { ObjectVersion } from '../../object.ts';
import type { S3Reply } from '../command.ts';
import type { Headers } from '../object-headers.ts';

/** What the answer to an upload by form needs to know. */
export interface FormReply {
  readonly version: ObjectVersion;
  /** What the answer to any write says of the version. */
  readonly headers: Headers;
  /** By name in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** Where the bucket is, as the client addressed it, without a slash at its end. */
  readonly bucketUrl: string;
}

/**
 * The answer that the form asks for: to go on to another page, or 200, 201 with a document, and 204 for anything else. An
 * address that is none is passed over, as on AWS.
 */
export function replyToForm({ version, headers: written, fields, bucketUrl }: FormReply): S3Reply {
  const { bucket, key } = version;
  const etag = `"${version.etag}"`;
  const location = `${bucketUrl}/${key.split('/').map(encodeURIComponent).join('/')}`;
  const headers = { ...written, location };
  const next = redirection(fields.get('success_action_redirect'));
  if (next !== null) {
    for (const [name, value] of Object.entries({ bucket, key, etag })) next.searchParams.append(name, value);
    return { status: 303, headers: { ...headers, location: next.href } };
  }
  const status = fields.get('success_action_status');
  if (status === '200') return { status: 200, headers };
  if (status !== '201') return { status: 204, headers };
  const children = [
    { name: 'Location', text: location },
    { name: 'Bucket', text: bucket },
    { name: 'Key', text: key },
    { name: 'ETag', text: etag },
  ];
  return { status: 201, headers, body: { name: 'PostResponse', children } };
}

function redirection(text: string | undefined): URL | null {
  const url = text === undefined ? null : URL.parse(text);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : null;
}
