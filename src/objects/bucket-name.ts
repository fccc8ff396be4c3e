import { probePrefix } from './backends/management/probe.ts';
import { objectError } from './errors.ts';

const pattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Blobs are stored under their bucket's name, and the probes of backends under this one. */
const probeBucket = probePrefix.slice(0, -1);
/** A dot stands between labels of a host name, which begin and end with a letter or digit. */
const brokenLabel = /\.[.-]|-\./;
const address = /^\d{1,3}(\.\d{1,3}){3}$/;

/**
 * Refuses what cannot name a bucket (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html), since a
 * name is also a host name. Throws `InvalidBucketName`.
 */
export function requireBucketName(name: string): void {
  const isReserved =
    name.startsWith('xn--') || name.endsWith('-s3alias') || name.endsWith('--ol-s3') || name === probeBucket;
  if (pattern.test(name) && !address.test(name) && !brokenLabel.test(name) && !isReserved) return;
  const rule = 'A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and is not an IP address.';
  throw objectError('InvalidBucketName', { field: 'name', provided_value: name.slice(0, 100) }, rule);
}
