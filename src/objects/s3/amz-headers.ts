import { objectError } from '../errors.ts';

/**
 * The `x-amz-` headers that are understood somewhere. A write with another one is refused: to ignore
 * `x-amz-server-side-encryption-context` would be to encrypt otherwise than was asked.
 */
const known: ReadonlySet<string> = new Set(
  [
    'acl',
    'bypass-governance-retention',
    'confirm-remove-self-bucket-access',
    'content-sha256',
    'copy-source',
    'copy-source-if-match',
    'copy-source-if-modified-since',
    'copy-source-if-none-match',
    'copy-source-if-unmodified-since',
    'copy-source-range',
    'copy-source-server-side-encryption-customer-algorithm',
    'copy-source-server-side-encryption-customer-key',
    'copy-source-server-side-encryption-customer-key-md5',
    'date',
    'decoded-content-length',
    'expected-bucket-owner',
    'max-parts',
    'metadata-directive',
    'mfa',
    'mp-object-size',
    'object-attributes',
    'bucket-object-lock-enabled',
    'bucket-object-lock-token',
    'object-lock-legal-hold',
    'object-lock-mode',
    'object-lock-retain-until-date',
    'object-ownership',
    'optional-object-attributes',
    'part-number-marker',
    'request-payer',
    'sdk-checksum-algorithm',
    'security-token',
    'server-side-encryption',
    'server-side-encryption-aws-kms-key-id',
    'server-side-encryption-bucket-key-enabled',
    'server-side-encryption-customer-algorithm',
    'server-side-encryption-customer-key',
    'server-side-encryption-customer-key-md5',
    'source-expected-bucket-owner',
    'storage-class',
    'tagging',
    'tagging-directive',
    'trailer',
    'user-agent',
    'checksum-algorithm',
    'checksum-mode',
    'checksum-type',
    'checksum-crc32',
    'checksum-crc32c',
    'checksum-crc64nvme',
    'checksum-sha1',
    'checksum-sha256',
  ].map((name) => `x-amz-${name}`),
);

/**
 * Refuses headers that ask for what is not there. Of a read only those of encryption matter; what else it does not know
 * changes nothing. Throws `NotImplemented` and `AccessControlListNotSupported`.
 */
export function requireKnownHeader(name: string, value: string, isWrite: boolean): void {
  if (name.startsWith('x-amz-meta-')) return;
  if (name.startsWith('x-amz-grant-')) throw objectError('AccessControlListNotSupported', { field: name });
  if (known.has(name)) {
    requireKnownValue(name, value);
  } else if (isWrite || name.startsWith('x-amz-server-side-encryption')) {
    const message = `The header ${name.slice(0, 100)} asks for something that is not implemented.`;
    throw objectError('NotImplemented', { field: name.slice(0, 100) }, message);
  }
}

function requireKnownValue(name: string, value: string): void {
  switch (name) {
    case 'x-amz-acl':
      // These two say what holds anyway: the owner of a bucket owns all that is in it.
      if (value !== 'private' && value !== 'bucket-owner-full-control') {
        throw objectError('AccessControlListNotSupported', { field: name, value: value.slice(0, 100) });
      }
      return;
    case 'x-amz-object-ownership':
      if (value !== 'BucketOwnerEnforced') {
        const message = 'There are no ACLs, so that only BucketOwnerEnforced is possible.';
        throw objectError('NotImplemented', { field: name, value: value.slice(0, 100) }, message);
      }
      return;
    default:
  }
}
