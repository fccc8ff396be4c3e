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
  const fitting = candidates.filter(({ labels }) =>
    Object.entries(wishes.requiredLabels).every(([label, value]) => labels[label] === value),
  );
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

/** First one of each failure domain, then a second of each, and so on; the order within is kept. */
function spreadDomains(
  ranked: readonly PlacementCandidate[],
  label: string | null,
  holders: readonly Pick<PlacementCandidate, 'name' | 'labels'>[],
): readonly PlacementCandidate[] {
  if (label === null) return ranked;
  const rounds: PlacementCandidate[][] = [];
  const seen = new Map<string, number>();
  // A backend without the label is a domain of its own.
  const domainOf = (one: Pick<PlacementCandidate, 'name' | 'labels'>) => one.labels[label] ?? `\n${one.name}`;
  for (const holder of holders) seen.set(domainOf(holder), (seen.get(domainOf(holder)) ?? 0) + 1);
  for (const candidate of ranked) {
    const domain = domainOf(candidate);
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
