import { randomBytes } from 'node:crypto';

/** Gives the ids of requests: 16 hexadecimal digits in upper case, unpredictable in their first half and never repeated. */
export function createRequestIds(): { next(): string; readonly hostId: string } {
  const start = randomBytes(4).toString('hex').toUpperCase();
  let count = randomBytes(4).readUInt32BE();
  return {
    next() {
      count = (count + 1) >>> 0;
      return start + count.toString(16).toUpperCase().padStart(8, '0');
    },
    /** `x-amz-id-2`: which server it was. */
    hostId: randomBytes(24).toString('base64'),
  };
}
