/** What S3 allows (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html), in bytes. */
const mib = 1024 * 1024;

/** The least size of a part that is not the last. */
export const partBytesMin = 5 * mib;
/** The most that one PUT, one part or one copy may move. */
export const partBytesMax = 5 * 1024 * mib;
export const partsMax = 10_000;
/** The largest blob that servers agree on. */
export const blobBytesMax = 5 * 1024 * 1024 * mib;

/** The size of parts for a blob: as wished, or what fits a large blob into 10,000 parts, in whole MiB. */
export function partBytesFor(sizeBytes: number, wishedBytes: number): number {
  const neededBytes = Math.ceil(sizeBytes / partsMax / mib) * mib;
  return Math.min(Math.max(wishedBytes, neededBytes), partBytesMax);
}
