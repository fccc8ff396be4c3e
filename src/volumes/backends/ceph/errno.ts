import { getSystemErrorName } from 'node:util';
import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';

/**
 * The error numbers that librados and librbd return negated. The numbers are Linux's on every architecture that Ceph
 * supports; the meanings are those of the Ceph documents for librbd (`librbd.h`).
 */
export const EPERM = 1;
export const ENOENT = 2;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ERANGE = 34;
export const ENOTEMPTY = 39;
export const EOPNOTSUPP = 95;
export const ENOTCONN = 107;
export const ESHUTDOWN = 108;
export const ETIMEDOUT = 110;
export const EDQUOT = 122;
export const ECANCELED = 125;

interface Meaning {
  readonly kind: ErrorKind;
  readonly sentence: string;
}

const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [EPERM, { kind: 'backend', sentence: 'Ceph refused it; the user needs the capabilities of "profile rbd"' }],
  [EACCES, { kind: 'backend', sentence: 'Ceph refused it; the user needs the capabilities of "profile rbd"' }],
  [ENOENT, { kind: 'not_found', sentence: 'it does not exist' }],
  [EBUSY, { kind: 'conflict', sentence: 'a client still has the image open' }],
  [EEXIST, { kind: 'conflict', sentence: 'it exists already' }],
  [EINVAL, { kind: 'invalid', sentence: 'Ceph does not accept these values' }],
  [ENOSPC, { kind: 'backend', sentence: 'the Ceph cluster or pool is full' }],
  [EDQUOT, { kind: 'backend', sentence: 'the quota of the Ceph pool is used up' }],
  [ENOTEMPTY, { kind: 'conflict', sentence: 'the image still has snapshots that clones need' }],
  [EOPNOTSUPP, { kind: 'unsupported', sentence: 'this Ceph cluster or image does not support it' }],
  [ENOTCONN, { kind: 'unavailable', sentence: 'the connection to Ceph is closed' }],
  [ESHUTDOWN, { kind: 'unavailable', sentence: 'Ceph has put this client on its blocklist' }],
  [ETIMEDOUT, { kind: 'unavailable', sentence: 'Ceph did not answer in time; the outcome is unknown' }],
]);

/**
 * The domain's error for a negative return code.
 *
 * @param code what the library returned, such as -2
 * @param action what was tried, as a noun phrase, such as `opening image "a"`
 * @returns an error whose details carry `errno` (such as `ENOENT`)
 */
export function cephError(code: number, action: string): HoldfastError {
  const errno = nameOf(code);
  const meaning = MEANINGS.get(-code) ?? { kind: 'backend', sentence: 'Ceph failed' };
  return new HoldfastError(meaning.kind, `Ceph: ${action}: ${meaning.sentence} (${errno}).`, { errno });
}

/** Throws {@link cephError} for a negative code; passes the code on otherwise. */
export function check(code: number, action: string): number {
  if (code < 0) throw cephError(code, action);
  return code;
}

/** As {@link check}, but takes the named error numbers for success, since the wish is fulfilled already. */
export function checkExcept(code: number, harmless: readonly number[], action: string): void {
  if (!harmless.includes(-code)) check(code, action);
}

/** Whether the error was made from this error number, such as `ESHUTDOWN`. */
export function hasErrno(error: unknown, errno: string): boolean {
  return error instanceof HoldfastError && error.details['errno'] === errno;
}

function nameOf(code: number): string {
  try {
    return getSystemErrorName(code);
  } catch {
    // Numbers that libuv does not know, such as EDQUOT.
    return code === -EDQUOT ? 'EDQUOT' : `errno ${-code}`;
  }
}
