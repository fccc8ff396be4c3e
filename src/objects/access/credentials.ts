import { randomInt } from 'node:crypto';

/** RFC 4648, section 6: no letter of it is taken for another one. */
const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Only letters and digits: some clients do not encode anything else in URLs and configuration files. */
const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A new access key with its secret, of about 90 and 238 random bits. */
export function newCredentials(): { readonly accessKey: string; readonly secret: string } {
  return { accessKey: `HF${randomText(base32, 18)}`, secret: randomText(alphanumeric, 40) };
}

/** Whether that can be an access key of ours. What cannot is not looked for in the store. */
export function isAccessKey(text: string): boolean {
  return /^HF[A-Z2-7]{18}$/.test(text);
}

/** What the sealed secret of an access key is bound to. */
export function sealedAbout(accessKey: string): string {
  return `access-key:${accessKey}`;
}

function randomText(letters: string, length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}
