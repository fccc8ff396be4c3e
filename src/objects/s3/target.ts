import { objectError } from '../errors.ts';
import { decodePath } from './signature/uri.ts';

/** In UTF-8 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html). */
const keyBytesMax = 1024;
/** Far more than a bucket's name can have; what is longer is not even looked up. */
const bucketCharactersMax = 255;

export type Resource = 'service' | 'bucket' | 'object';

/** What a request is about, as its target and its host say. */
export interface Target {
  readonly resource: Resource;
  /** As a signature covers them: the bytes on the wire, one character each. */
  readonly rawPath: string;
  readonly rawQuery: string;
  /** The bucket that the host names, in the virtual-host style. */
  readonly hostBucket?: string;
  /** Empty for the service. */
  readonly bucketName: string;
  /** Decoded and otherwise as it came: dots, doubled slashes and all. Empty for the service and buckets. */
  readonly key: string;
}

/**
 * Reads a request target (RFC 9112, 3.2) of the path style or, when the host is below one of the base domains, of the
 * virtual-host style. Throws `InvalidURI`, `KeyTooLongError` and `InvalidBucketName`.
 */
export function parseTarget(url: string, host: string | undefined, baseDomains: readonly string[]): Target {
  const { origin, authority } = splitAbsolute(url);
  const query = origin.indexOf('?');
  const rawPath = query < 0 ? origin : origin.slice(0, query);
  const rawQuery = query < 0 ? '' : origin.slice(query + 1);
  const hostBucket = baseDomains.length === 0 ? undefined : bucketOfHost(authority ?? host, baseDomains);
  if (hostBucket !== undefined) return { ...about(rawPath, rawQuery, hostBucket, rawPath.slice(1)), hostBucket };
  const slash = rawPath.indexOf('/', 1);
  if (slash < 0) return about(rawPath, rawQuery, decoded(rawPath.slice(1)), '');
  if (slash === 1) throw objectError('InvalidBucketName', { bucket: '' });
  return about(rawPath, rawQuery, decoded(rawPath.slice(1, slash)), rawPath.slice(slash + 1));
}

function about(rawPath: string, rawQuery: string, bucketName: string, rawKey: string): Target {
  if (bucketName.length > bucketCharactersMax) throw objectError('InvalidBucketName');
  const key = decoded(rawKey);
  // One character has at most three bytes in UTF-8 (a pair has four for its two).
  if (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax) {
    throw objectError('KeyTooLongError', { size_bytes: Buffer.byteLength(key), size_bytes_max: keyBytesMax });
  }
  const resource = bucketName === '' ? 'service' : key === '' ? 'bucket' : 'object';
  return { resource, rawPath, rawQuery, bucketName, key };
}

/** Proxies may send the absolute form, whose authority then stands for the Host header (RFC 9112, 3.2.2). */
function splitAbsolute(url: string): { readonly origin: string; readonly authority?: string } {
  if (url.startsWith('/')) return { origin: url };
  const [whole, authority] = /^https?:\/\/([^/?#]*)/i.exec(url) ?? [];
  if (whole === undefined || authority === undefined) throw objectError('InvalidURI');
  const origin = url.slice(whole.length);
  return { origin: origin.startsWith('/') ? origin : `/${origin}`, authority };
}

/** The bucket that a host names; `undefined` for a base domain itself and for any other host. */
function bucketOfHost(host: string | undefined, baseDomains: readonly string[]): string | undefined {
  if (host === undefined) return undefined;
  const port = host.lastIndexOf(':');
  const name = (port > host.lastIndexOf(']') ? host.slice(0, port) : host).toLowerCase();
  for (const domain of baseDomains) {
    // `bucket.s3.example.com` may be below `s3.example.com` and below `example.com`: the list's order decides.
    if (name === domain) return undefined;
    if (name.endsWith(`.${domain}`)) return name.slice(0, -domain.length - 1);
  }
  return undefined;
}

function decoded(wire: string): string {
  // Most keys are plain, and then nothing needs decoding.
  if (/^[!-$&-~]*$/.test(wire)) return wire;
  const text = decodePath(wire);
  if (text.includes('\u0000')) throw objectError('InvalidURI', {}, 'A key cannot contain a null character.');
  return text;
}
