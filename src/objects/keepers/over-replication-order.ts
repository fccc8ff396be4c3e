import type { BucketSettings } from '../bucket.ts';
import { domainOf, fitsLabels } from '../placement.ts';

/** A copy of a part, with what is known of the backend on which it stands. */
export interface StandingCopy {
  readonly backend: string;
  /** `away`: it does not work, so that nothing can be deleted there now, and what stands there is a spare. */
  readonly standing: 'draining' | 'shaky' | 'away' | 'fine';
  readonly labels: Readonly<Record<string, string>>;
  readonly position: number;
  /** The part of it that is used, from 0 to 1. */
  readonly filledShare: number;
}

type Wishes = Pick<BucketSettings, 'copies' | 'requiredLabels' | 'failureDomain'>;

/**
 * The copies that a bucket does not want, the least useful first; pure. What remains has as many as are wanted on backends
 * that are active and work, or nothing is chosen. Those that drain go first, then those that fail at times, then those
 * where the bucket's objects do not belong, those that share a failure domain, and those on the fullest backend.
 */
export function chooseSurplus<C extends StandingCopy>(copies: readonly C[], wishes: Wishes): C[] {
  const wanted = Math.max(1, wishes.copies);
  const remaining = copies.filter(({ standing }) => standing === 'fine');
  if (remaining.length < wanted) return [];
  const others = copies.filter(({ standing }) => standing === 'draining' || standing === 'shaky');
  const chosen = others.toSorted((a, b) => compareStanding(a, b) || compareWorth(a, b));
  while (remaining.length > wanted) {
    const [worst] = remaining.toSorted(
      (a, b) =>
        Number(fitsLabels(a, wishes.requiredLabels)) - Number(fitsLabels(b, wishes.requiredLabels)) ||
        sharersOf(b, remaining, wishes.failureDomain) - sharersOf(a, remaining, wishes.failureDomain) ||
        compareWorth(a, b),
    ) as [C];
    remaining.splice(remaining.indexOf(worst), 1);
    chosen.push(worst);
  }
  return chosen;
}

function compareStanding(a: StandingCopy, b: StandingCopy): number {
  return Number(b.standing === 'draining') - Number(a.standing === 'draining');
}

/** The fullest first, and of equal ones the last to be filled. */
function compareWorth(a: StandingCopy, b: StandingCopy): number {
  return b.filledShare - a.filledShare || b.position - a.position || (a.backend < b.backend ? 1 : -1);
}

/** How many other copies stand in the failure domain of one. */
function sharersOf(copy: StandingCopy, all: readonly StandingCopy[], label: string | null): number {
  if (label === null) return 0;
  const domain = domainOf({ name: copy.backend, labels: copy.labels }, label);
  return all.filter((one) => one !== copy && domainOf({ name: one.backend, labels: one.labels }, label) === domain)
    .length;
}
