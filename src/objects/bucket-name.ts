import { objectError } from './errors.ts';

const pattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const address = /^\d{1,3}(\.\d{1,3}){3}$/;

/**
 * Refuses what cannot name a bucket (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html), since a
 * name is also a host name. Throws `InvalidBucketName`.
 */
export function requireBucketName(name: string): void {
  const isReserved = name.startsWith('xn--') || name.endsWith('-s3alias') || name.endsWith('--ol-s3');
  if (pattern.test(name) && !address.test(name) && !name.includes('..') && !isReserved) return;
  const rule = 'A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and is not an IP address.';
  throw objectError('InvalidBucketName', { field: 'name', provided_value: name.slice(0, 100) }, rule);
}
