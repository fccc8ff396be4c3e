import { encodePath, encodeQueryPart } from '../../s3/signature/uri.ts';
import type { S3Settings } from './settings.ts';

/** Where requests for a bucket go: by path (`host/bucket/key`) or by host (`bucket.host/key`). */
export class BucketAddress {
  /** Of the TCP connection and the certificate. */
  readonly hostname: string;
  /** Empty for the port of the scheme. */
  readonly port: string;
  /** The value of `Host`. */
  readonly host: string;
  readonly #root: string;

  constructor({ endpoint, bucket, isPathStyle }: Pick<S3Settings, 'endpoint' | 'bucket' | 'isPathStyle'>) {
    const subdomain = isPathStyle ? '' : `${bucket}.`;
    this.hostname = subdomain + endpoint.hostname.replace(/^\[(.*)\]$/, '$1');
    this.port = endpoint.port;
    this.host = subdomain + endpoint.host;
    const base = endpoint.pathname === '/' ? '' : endpoint.pathname;
    this.#root = isPathStyle ? `${base}/${encodePath(bucket)}` : base;
  }

  /** The path of a key as it stands on the wire, or of the bucket itself. Nothing of a key is normalised. */
  path(key: string | null): string {
    return key === null ? this.#root || '/' : `${this.#root}/${encodePath(key)}`;
  }
}

/** A query as it stands on the wire, without its question mark. */
export function encodeQuery(query: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeQueryPart(String(value))}`);
  return pairs.join('&');
}
