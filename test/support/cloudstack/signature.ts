import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from './refusal.ts';

const kept = /^[A-Za-z0-9.*_-]$/;
const aheadMsMax = 15 * 60_000;

/**
 * Checks a request as the server does, written after the server and not after the client: byte by byte as Java's
 * URLEncoder, and with the times that servers enforce.
 */
export function verifyRequest(parameters: ReadonlyMap<string, string>, apiKey: string, secretKey: string): void {
  const given = parameters.get('signature');
  const expires = parameters.get('expires');
  if (given === undefined || parameters.get('apikey') !== apiKey || parameters.get('signatureversion') !== '3') {
    throw unverified();
  }
  const expiresAtMs = expires === undefined ? Number.NaN : Date.parse(expires);
  const aheadMs = expiresAtMs - Date.now();
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$/.test(expires ?? '') || !(aheadMs > 0 && aheadMs <= aheadMsMax)) {
    throw unverified();
  }
  const text = [...parameters.keys()]
    .filter((name) => name !== 'signature')
    .sort()
    .map((name) => `${name}=${javaEncoded(parameters.get(name)!).replaceAll('+', '%20')}`)
    .join('&');
  const expected = createHmac('sha1', secretKey).update(text.toLowerCase()).digest();
  const claimed = Buffer.from(given, 'base64');
  if (claimed.length !== expected.length || !timingSafeEqual(claimed, expected)) throw unverified();
}

function javaEncoded(value: string): string {
  let encoded = '';
  for (const byte of Buffer.from(value, 'utf8')) {
    const character = String.fromCharCode(byte);
    if (kept.test(character)) encoded += character;
    else encoded += character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

function unverified(): Refusal {
  return new Refusal(401, 'unable to verify user credentials and/or request signature');
}
