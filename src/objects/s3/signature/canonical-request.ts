import { type KeyObject, createHmac, hash } from 'node:crypto';
import { type CredentialScope, formatScope, signingAlgorithm } from './signed-request.ts';

export interface CanonicalParts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
}

/** The canonical request ("Create a canonical request" in the SigV4 documentation of IAM), each character one byte. */
export function canonicalRequest(parts: CanonicalParts): string {
  const { method, path, query, headers, signedHeaders, payloadHash } = parts;
  let text = `${method}\n${path}\n${query}\n`;
  for (const name of signedHeaders) text += `${name}:${headers.get(name) ?? ''}\n`;
  return `${text}\n${signedHeaders.join(';')}\n${payloadHash}`;
}

/** The string to sign of a request. */
export function stringToSign(amzDate: string, scope: CredentialScope, canonical: string): string {
  const digest = hash('sha256', Buffer.from(canonical, 'latin1'), 'hex');
  return `${signingAlgorithm}\n${amzDate}\n${formatScope(scope)}\n${digest}`;
}

/** The signature of a string to sign, in bytes. */
export function sign(signingKey: KeyObject, text: string): Buffer {
  return createHmac('sha256', signingKey).update(text, 'latin1').digest();
}
