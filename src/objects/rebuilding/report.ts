/** What a rebuild found, and what became of it. */
export interface RebuildReport {
  /** The backup of the ledger that was used, and up to when it tells everything; `null`: there was none. */
  backup: { readonly generation: string; readonly asOfMs: number | null } | null;
  blobs: number;
  keys: number;
  buckets: number;
  versions: number;
  copies: number;
  uploads: number;
  /** Settings that were entered, such as users and targets of notifications, by what they are. */
  readonly settings: Record<string, number>;
  /** Keys that were in the ledger already, and left as they are. */
  standing: number;
  /** Blobs whose objects were deleted or overwritten: their bytes are queued for deletion. */
  superseded: number;
  /** Versions with a part that stands nowhere. */
  lost: number;
  /** Versions that are newer than the backup: one of them may have been deleted since. */
  doubtful: number;
  /** Blobs that are not taken for anything: foreign, damaged, or of versions that nothing tells the order of. */
  unknown: number;
  /** The first of each kind, in sentences. */
  readonly findings: RebuildFinding[];
  isTruncated: boolean;
}

export interface RebuildFinding {
  readonly kind: 'lost' | 'doubtful' | 'unknown' | 'bucket' | 'backup' | 'setting' | 'unreachable';
  readonly detail: string;
}

const findingsMax = 1_000;

export function newReport(): RebuildReport {
  const counts = { blobs: 0, keys: 0, buckets: 0, versions: 0, copies: 0, uploads: 0 };
  const rest = { standing: 0, superseded: 0, lost: 0, doubtful: 0, unknown: 0, isTruncated: false };
  return { backup: null, ...counts, settings: {}, ...rest, findings: [] };
}

export function tell(report: RebuildReport, kind: RebuildFinding['kind'], detail: string): void {
  if (report.findings.length < findingsMax) report.findings.push({ kind, detail });
  else report.isTruncated = true;
}
