import { createHmac } from 'node:crypto';

export type Parameters = Readonly<Record<string, string>>;

export interface Credentials {
  readonly apiKey: string;
  readonly secretKey: string;
}

/** What Java's URLEncoder escapes and encodeURIComponent leaves alone. `*` is left alone by both. */
const alsoEscaped = /[!'()~]/g;

/**
 * The signature of a request: HMAC-SHA-1 over its parameters, as CloudStack's server computes it (`ApiServer`,
 * `verifyRequest`). Values are escaped as by Java's URLEncoder, names are not; the server sorts by name and respects case,
 * while clients sort lower-case names. With names in lower case both agree, so other names are refused here.
 *
 * @param parameters everything that is sent but the signature, `apikey` and `response` included
 * @returns base64, not escaped
 */
export function signatureOf(parameters: Parameters, secretKey: string): string {
  const names = Object.keys(parameters).sort();
  for (const name of names) {
    if (name !== name.toLowerCase()) throw new TypeError(`the parameter ${name} is not in lower case`);
  }
  const text = names.map((name) => `${name}=${escaped(parameters[name]!)}`).join('&');
  return createHmac('sha1', secretKey).update(text.toLowerCase()).digest('base64');
}

/**
 * A request of signature version 3: it is good until `expiresAtMs` only, so that a copy of it is worth nothing later.
 * Servers may refuse one that is good for longer than 15 minutes.
 */
export function signedRequest(parameters: Parameters, credentials: Credentials, expiresAtMs: number): URLSearchParams {
  const signed = {
    ...parameters,
    apikey: credentials.apiKey,
    response: 'json',
    signatureversion: '3',
    expires: isoSeconds(expiresAtMs),
  };
  return new URLSearchParams({ ...signed, signature: signatureOf(signed, credentials.secretKey) });
}

function escaped(value: string): string {
  // A lone surrogate has no UTF-8. The form that is sent carries U+FFFD for it, so that is what is signed.
  return encodeURIComponent(value.toWellFormed()).replaceAll(alsoEscaped, (character) => {
    return `%${character.charCodeAt(0).toString(16)}`;
  });
}

/** `yyyy-MM-dd'T'HH:mm:ssZ`, in UTC. */
function isoSeconds(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}+0000`;
}
