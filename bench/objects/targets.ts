import { signRequest } from '../../src/objects/s3/signature/sign.ts';
import type { WrkRequest } from '../support/wrk.ts';

/** An S3 server to be measured. */
export interface S3Target {
  readonly name: string;
  /** Such as `http://127.0.0.1:9000`. */
  readonly url: string;
  readonly accessKey: string;
  readonly secret: string;
  readonly bucket: string;
}

/** A signed request, valid for 15 minutes however often it is sent. */
export function signed(target: S3Target, method: string, key: string, bodyBytes = 0): WrkRequest {
  const path = key === '' ? `/${target.bucket}` : `/${target.bucket}/${key}`;
  const { accessKey, secret } = target;
  const request = { method, rawPath: path, rawQuery: '', rawHeaders: ['host', new URL(target.url).host] };
  const timing = { timeMs: Date.now(), payloadHash: 'UNSIGNED-PAYLOAD' };
  const raw = signRequest(request, { accessKey, secret, region: 'us-east-1' }, timing);
  const headers: Record<string, string> = {};
  for (let index = 0; index < raw.length; index += 2) headers[raw[index]!] = raw[index + 1]!;
  return { method, path, headers, bodyBytes };
}

/** Sends one signed request; throws unless it succeeds. */
export async function send(target: S3Target, method: string, key: string, body?: Buffer): Promise<void> {
  const { path, headers } = signed(target, method, key);
  const content = body === undefined ? {} : { body };
  const response = await fetch(target.url + path, { method, headers, ...content });
  const text = await response.text();
  if (!response.ok && response.status !== 409)
    throw new Error(`${target.name}: ${method} ${path}: ${response.status} ${text}`);
}
