import { hash } from 'node:crypto';
import type { CustomerKey } from '../encryption/data-key.ts';
import type { EncryptionWish } from '../encryption/encryption.ts';
import { objectError } from '../errors.ts';
import type { AppliedEncryption } from '../object.ts';
import type { Headers } from './object-headers.ts';

/**
 * The headers of encryption
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html and, for keys of customers,
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html).
 */
export const sseHeader = 'x-amz-server-side-encryption';
const keyIdHeader = `${sseHeader}-aws-kms-key-id`;
const customerHeader = `${sseHeader}-customer`;
export const sourceCustomerHeader = 'x-amz-copy-source-server-side-encryption-customer';

type HeaderOf = (name: string) => string | undefined;

/** What a write wants; `undefined`: what its bucket demands. Throws `InvalidArgument`, `InvalidEncryptionAlgorithmError`. */
export function parseEncryption(header: HeaderOf): EncryptionWish | undefined {
  const key = parseCustomerKey(header);
  const algorithm = header(sseHeader);
  const keyId = header(keyIdHeader);
  if (key !== undefined) {
    if (algorithm === undefined) return { kind: 'customer', key };
    const message =
      'Server Side Encryption with Customer provided key is incompatible with the encryption method specified';
    throw objectError('InvalidArgument', { argument: sseHeader }, message);
  }
  if (algorithm === 'aws:kms') return { kind: 'kms', keyId: keyId ?? null };
  if (keyId !== undefined) {
    const message = `Server Side Encryption with AWS KMS managed key requires HTTP header ${sseHeader} : aws:kms`;
    throw objectError('InvalidArgument', { argument: keyIdHeader }, message);
  }
  if (algorithm === undefined) return undefined;
  if (algorithm === 'AES256') return { kind: 'aes256' };
  throw objectError('InvalidArgument', { argument: sseHeader }, 'The encryption method specified is not supported');
}

/** The key that a customer sent, whole and right, or none. It stands in no error. */
export function parseCustomerKey(header: HeaderOf, prefix = customerHeader): CustomerKey | undefined {
  const algorithm = header(`${prefix}-algorithm`);
  const text = header(`${prefix}-key`);
  const md5 = header(`${prefix}-key-md5`);
  if (algorithm === undefined && text === undefined && md5 === undefined) return undefined;
  if (algorithm === undefined || text === undefined || md5 === undefined) {
    const message =
      'Requests specifying Server Side Encryption with Customer provided keys must provide the algorithm, the secret key ' +
      'and its MD5.';
    throw objectError('InvalidArgument', { argument: `${prefix}-algorithm` }, message);
  }
  if (algorithm !== 'AES256') throw objectError('InvalidEncryptionAlgorithmError', { argument: `${prefix}-algorithm` });
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== 32) {
    const message = 'The secret key was invalid for the specified algorithm.';
    throw objectError('InvalidArgument', { argument: `${prefix}-key` }, message);
  }
  if (hash('md5', bytes, 'base64') === md5) return { bytes, md5 };
  const message = 'The calculated MD5 hash of the key did not match the hash that was provided.';
  throw objectError('InvalidArgument', { argument: `${prefix}-key-md5` }, message);
}

/** A part is encrypted as its upload says. Throws `InvalidArgument` for one that wants something of its own. */
export function refusePartEncryption(header: HeaderOf): void {
  for (const name of [sseHeader, keyIdHeader]) {
    if (header(name) === undefined) continue;
    throw objectError('InvalidArgument', { argument: name }, `${name} header is not supported for this operation.`);
  }
}

/** What an answer says of the encryption of what was written or read. */
export function addEncryptionHeaders(
  applied: AppliedEncryption | undefined,
  customerKey: CustomerKey | undefined,
  headers: Headers,
): void {
  if (applied?.kind === 'aes256') headers[sseHeader] = 'AES256';
  if (applied?.kind === 'kms') {
    headers[sseHeader] = 'aws:kms';
    headers[keyIdHeader] = applied.keyId;
  }
  if (customerKey !== undefined) {
    headers[`${customerHeader}-algorithm`] = 'AES256';
    headers[`${customerHeader}-key-md5`] = customerKey.md5;
  }
}
