import { filledShare } from '../backends/filling.ts';
import type { BucketSettings } from '../bucket.ts';
import { domainOf, fitsLabels } from '../placement.ts';
import type { RebalancePlace } from './rebalance-planner.ts';

type Wishes = Pick<BucketSettings, 'copies' | 'placement' | 'requiredLabels' | 'failureDomain'>;
type Place = Omit<RebalancePlace, 'allowance'>;

/**
 * Whether any part at all can stand in the wrong place, by what the books say of backends alone, so that looking at parts is
 * worth it. What is false is so: no part with such wishes would be moved.
 */
export function isWorthLooking(places: readonly Place[], wishes: readonly Wishes[], threshold: number): boolean {
  return wishes.some((wish) => canBeMisplaced(places, wish, threshold));
}

function canBeMisplaced(
  places: readonly Place[],
  { copies, placement, requiredLabels, failureDomain }: Wishes,
  threshold: number,
): boolean {
  const holding = places.filter(({ usedBytes }) => usedBytes > 0);
  const sources = holding.filter(({ isOpen }) => isOpen);
  // A part with as many copies as there are backends that hold anything stands on each of those.
  const free = copies < holding.length ? places : places.filter((one) => !holding.includes(one));
  const targets = free.filter((one) => one.isOpen && fitsLabels(one, requiredLabels));
  const isPossible = (isBetter: (source: Place, target: Place) => boolean) =>
    sources.some((source) => targets.some((target) => target !== source && isBetter(source, target)));
  if (isPossible((source) => !fitsLabels(source, requiredLabels))) return true;
  if (failureDomain !== null && copies > 1 && isPossible((source) => hasTwin(source, holding, failureDomain)))
    return true;
  if (placement === 'spread') {
    return isPossible((source, target) => filledShare(source) - filledShare(target) > threshold);
  }
  return isPossible((source, target) => target.position < source.position && hasPackRoom(target, 0, threshold));
}

/** Whether two copies may share the failure domain of a place. */
function hasTwin(place: Place, holding: readonly Place[], label: string): boolean {
  return holding.some((one) => one !== place && domainOf(one, label) === domainOf(place, label));
}

/** Packing leaves as much free as the threshold says, or new objects would have to go elsewhere at once. */
export function hasPackRoom(
  { totalBytes, usedBytes }: Pick<Place, 'totalBytes' | 'usedBytes'>,
  storedBytes: number,
  threshold: number,
): boolean {
  return totalBytes === null || usedBytes + storedBytes <= totalBytes * (1 - threshold);
}
