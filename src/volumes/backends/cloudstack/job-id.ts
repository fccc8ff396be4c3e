import { createHash } from 'node:crypto';

/**
 * The id under which CloudStack shall know a job of ours (`customjobid`): the same facts give the same UUID, so an
 * attempt after a crash or a lost answer finds the job of the one before. It has the form of a name-based UUID (RFC 9562,
 * version 8, over SHA-256).
 */
export function jobIdOf(...facts: readonly (string | number)[]): string {
  const hash = createHash('sha256')
    .update(JSON.stringify(['holdfast cloudstack job', ...facts]))
    .digest();
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
