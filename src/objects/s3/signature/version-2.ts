import { createHmac, timingSafeEqual } from 'node:crypto';

/** What conditions of policies call it. */
export const signatureVersion2 = 'AWS';

/**
 * Whether a signature of version 2, in base64, is that of a text, of which each character is one byte, with this secret. How
 * long it takes says nothing of the right one.
 */
export function isSignedV2(text: string, secret: string, signature: string): boolean {
  const expected = Buffer.from(createHmac('sha1', secret).update(text, 'latin1').digest('base64'));
  const given = Buffer.from(signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
