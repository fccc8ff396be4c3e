import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { SigningCredentials } from '../../s3/signature/sign.ts';
import type { BackendSettings } from '../backend.ts';
import { numberOf, wrongSetting } from '../setting-fields.ts';
import { partBytesMax, partBytesMin } from './limits.ts';

/** Settings of an `s3` backend, read. */
export interface S3Settings {
  /** Its path has no slash at its end. */
  readonly endpoint: URL;
  readonly bucket: string;
  /** Stands before all keys; may be empty. */
  readonly prefix: string;
  readonly isPathStyle: boolean;
  readonly credentials: SigningCredentials;
  /** Blobs of at most this size are put with one request, larger ones in parts of it. */
  readonly partBytes: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly connectionsMax: number;
  /** Certificates of authorities in PEM that are trusted in place of the usual ones; `null` for the usual ones. */
  readonly ca: string | null;
}

const defaults = {
  region: 'us-east-1',
  prefix: '',
  path_style: 'auto',
  multipart_part_bytes: String(64 * 1024 * 1024),
  connect_timeout_ms: '10000',
  idle_timeout_ms: '30000',
  connections_max: '64',
  ca: '',
};
const configFields = new Set(['endpoint', 'bucket', ...Object.keys(defaults)]);
const secretFields = new Set(['access_key_id', 'secret_access_key']);

/** A prefix leaves room for a key of the gateway within S3's 1,024 bytes. */
const prefixBytesMax = 512;

/** @throws HoldfastError `invalid` naming the field. */
export function validateS3({ config, secrets }: BackendSettings): BackendSettings {
  for (const field of Object.keys(config)) {
    if (secretFields.has(field)) throw wrongSetting(field, 'It is a secret and belongs among the secrets.');
    if (!configFields.has(field)) throw wrongSetting(field, 'An s3 backend does not know it.');
  }
  for (const field of Object.keys(secrets)) {
    if (!secretFields.has(field)) throw wrongSetting(field, 'An s3 backend does not know this secret.');
  }
  const filled = { config: { ...defaults, ...config }, secrets };
  readS3(filled);
  return filled;
}

/** Reads validated settings. */
export function readS3({ config, secrets }: BackendSettings): S3Settings {
  const filled = { ...defaults, ...config };
  const endpoint = endpointOf(config['endpoint'] ?? '');
  const bucket = bucketOf(config['bucket'] ?? '');
  return {
    endpoint,
    bucket,
    prefix: prefixOf(filled.prefix),
    isPathStyle: isPathStyle(filled.path_style, endpoint, bucket),
    credentials: credentialsOf(filled.region, secrets),
    partBytes: numberOf(filled, 'multipart_part_bytes', partBytesMin, partBytesMax),
    connectTimeoutMs: numberOf(filled, 'connect_timeout_ms', 100, 300_000),
    idleTimeoutMs: numberOf(filled, 'idle_timeout_ms', 100, 3_600_000),
    connectionsMax: numberOf(filled, 'connections_max', 1, 1024),
    ca: caOf(filled.ca),
  };
}

function endpointOf(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw wrongSetting('endpoint', 'It must be an http or https URL.');
  }
  if (url.username !== '' || url.password !== '')
    throw wrongSetting('endpoint', 'Credentials do not belong into the URL.');
  if (url.search !== '' || url.hash !== '')
    throw wrongSetting('endpoint', 'It must have neither a query nor a fragment.');
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** Old buckets may have capitals, underscores and more length than new ones. */
function bucketOf(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(text)) return text;
  throw wrongSetting('bucket', 'It must be a bucket name of 3 to 255 letters, digits, dots, hyphens and underscores.');
}

function prefixOf(text: string): string {
  if (Buffer.byteLength(text) > prefixBytesMax)
    throw wrongSetting('prefix', `It must have at most ${prefixBytesMax} bytes.`);
  if (!text.isWellFormed() || /\p{Cc}/u.test(text))
    throw wrongSetting('prefix', 'It must be text without control characters.');
  return text;
}

/**
 * Amazon wants virtual-host style, almost every other server takes path style. A name with dots has no certificate as a
 * host, and one with capitals is no host at all.
 */
function isPathStyle(text: string, endpoint: URL, bucket: string): boolean {
  const isHostName = /^[a-z0-9][a-z0-9.-]*$/.test(bucket) && bucket.length <= 63;
  const isAddress = isIP(endpoint.hostname.replace(/^\[(.*)\]$/, '$1')) !== 0;
  if (text === 'true') return true;
  if (text === 'auto')
    return !isHostName || bucket.includes('.') || !/\.amazonaws\.com(\.cn)?$/.test(endpoint.hostname);
  if (text !== 'false') throw wrongSetting('path_style', 'It must be auto, true or false.');
  if (isAddress)
    throw wrongSetting('path_style', 'An endpoint that is an address has no hosts below it: path style is needed.');
  if (!isHostName) throw wrongSetting('path_style', 'The bucket is no name of a host: path style is needed.');
  return false;
}

function credentialsOf(region: string, secrets: Readonly<Record<string, string>>): SigningCredentials {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) throw wrongSetting('region', 'It must be a region such as us-east-1.');
  const { access_key_id: accessKey = '', secret_access_key: secret = '' } = secrets;
  // Both go into a header or a key as they are; a line end from a copied text would be signed and refused by the server.
  if (!/^[\u0021-\u002b\u002d\u002e\u0030-\u007e]{1,256}$/.test(accessKey)) {
    throw wrongSetting('access_key_id', 'It must be the id of an access key.');
  }
  if (!/^[\u0021-\u007e]{1,1024}$/.test(secret)) {
    throw wrongSetting('secret_access_key', 'It must be the secret of an access key, without white space.');
  }
  return { accessKey, secret, region };
}

function caOf(text: string): string | null {
  if (text.trim() === '') return null;
  try {
    void new X509Certificate(text);
  } catch {
    throw wrongSetting('ca', 'It must be certificates in PEM.');
  }
  return text;
}
