/** What is asked of a rebuild. */
export interface RebuildWish {
  /** Whether a ledger that has objects is filled up with keys that it does not have; then nothing is deleted, either. */
  readonly isMissingOnly: boolean;
  /** Whether nothing but encryption keys is entered. */
  readonly isDryRun: boolean;
  /** Whether versions that are lost are given up, so that the backup that tells of them may go. */
  readonly isLossAccepted: boolean;
  /** Only these; empty: all. */
  readonly backends: readonly string[];
}
