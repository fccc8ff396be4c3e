/** What a check can find. */
export type FindingKind =
  | 'lost' // a part of an object has no copy that can be read
  | 'missing_copy' // the ledger knows a copy, the backend does not have it
  | 'wrong_size' // a blob is not as long as the ledger says
  | 'damaged_copy' // a blob's bytes are not what was written
  | 'orphan' // a backend has bytes that nobody owns
  | 'short' // fewer copies than the bucket wants, and nobody has noted it
  | 'misplaced_latest' // a key has no latest version, or more than one
  | 'wrong_sum' // the bytes on a backend's books do not add up
  | 'wrong_quota' // what a bucket or user is said to use does not add up
  | 'dangling' // rows that refer to something that is not there
  | 'unreachable'; // a backend could not be looked at

export interface Finding {
  readonly kind: FindingKind;
  /** In a sentence. */
  readonly detail: string;
}

/** The findings of a check, with what it looked at. */
export interface CheckReport {
  readonly objects: number;
  readonly copies: number;
  readonly blobs: number;
  /** Contents that are known to want copies, and bytes that wait for deletion: no faults. */
  readonly owedCopies: number;
  readonly waitingDeletions: number;
  readonly deadLetters: number;
  readonly findings: readonly Finding[];
  /** Whether there were more findings than are told. */
  readonly isTruncated: boolean;
}

/** How many findings are told. */
export const findingsMax = 1_000;
