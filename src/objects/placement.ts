import type { BucketSettings } from './bucket.ts';

/** What placement knows of a backend. */
export interface PlacementCandidate {
  readonly name: string;
  readonly position: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the quota, or of the real system where it tells; `null` without a limit. */
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly usedBytes: number;
}

type Wishes = Pick<BucketSettings, 'placement' | 'requiredLabels' | 'failureDomain'>;

/**
 * Backends in the order in which a write should try them: `pack` by position, `spread` by the share that is free, then by
 * what is used. No two of the first ones share a failure domain while there is a choice, nor one with those that hold
 * copies already. Room is not promised here: the claim decides.
 */
export function rankBackends(
  candidates: readonly PlacementCandidate[],
  wishes: Wishes,
  holders: readonly Pick<PlacementCandidate, 'name' | 'labels'>[] = [],
): string[] {
  const fitting = candidates.filter((candidate) => fitsLabels(candidate, wishes.requiredLabels));
  const ranked = fitting.toSorted(
    wishes.placement === 'pack'
      ? (a, b) => a.position - b.position || compare(a.name, b.name)
      : (a, b) =>
          freeShare(b) - freeShare(a) ||
          a.usedBytes - b.usedBytes ||
          a.position - b.position ||
          compare(a.name, b.name),
  );
  return spreadDomains(ranked, wishes.failureDomain, holders).map(({ name }) => name);
}

/** Whether a backend carries all labels that are required. */
export function fitsLabels(
  { labels }: Pick<PlacementCandidate, 'labels'>,
  requiredLabels: BucketSettings['requiredLabels'],
): boolean {
  return Object.entries(requiredLabels).every(([label, value]) => labels[label] === value);
}

/** The failure domain of a backend; one without the label is a domain of its own. */
export function domainOf({ name, labels }: Pick<PlacementCandidate, 'name' | 'labels'>, label: string): string {
  return labels[label] ?? `\n${name}`;
}

/** First one of each failure domain, then a second of each, and so on; the order within is kept. */
function spreadDomains(
  ranked: readonly PlacementCandidate[],
  label: string | null,
  holders: readonly Pick<PlacementCandidate, 'name' | 'labels'>[],
): readonly PlacementCandidate[] {
  if (label === null) return ranked;
  const rounds: PlacementCandidate[][] = [];
  const seen = new Map<string, number>();
  for (const holder of holders) {
    const domain = domainOf(holder, label);
    seen.set(domain, (seen.get(domain) ?? 0) + 1);
  }
  for (const candidate of ranked) {
    const domain = domainOf(candidate, label);
    const round = seen.get(domain) ?? 0;
    seen.set(domain, round + 1);
    (rounds[round] ??= []).push(candidate);
  }
  return rounds.flat();
}

/** The part of a backend that is free; one without a limit counts as empty. */
function freeShare({ freeBytes, totalBytes }: PlacementCandidate): number {
  if (freeBytes === null || totalBytes === null || totalBytes === 0) return 1;
  return Math.max(0, freeBytes) / totalBytes;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
