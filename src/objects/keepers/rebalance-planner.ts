import { type BackendBytes, filledShare } from '../backends/filling.ts';
import type { BucketSettings } from '../bucket.ts';
import { type PlacementCandidate, domainOf, fitsLabels, rankBackends } from '../placement.ts';
import { hasPackRoom } from './rebalance-need.ts';

/** What is left of this month's limits; `null` without one. */
export interface Allowance {
  readonly requests: number | null;
  readonly ingressBytes: number | null;
  readonly egressBytes: number | null;
}

/** A backend as the planner knows it. */
export interface RebalancePlace extends BackendBytes {
  readonly labels: Readonly<Record<string, string>>;
  readonly position: number;
  /** Whether it is active and works: copies are only moved between backends of which that is true. */
  readonly isOpen: boolean;
  /** The largest object, and the largest blob, that it takes. */
  readonly objectBytesMax: number | null;
  readonly blobBytesMax: number | null;
  readonly allowance: Allowance;
}

/** One part of a content, and what its bucket wishes. */
export interface PlacedPart {
  readonly contentId: string;
  readonly part: number;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly backends: readonly string[];
  readonly wishes: Pick<BucketSettings, 'placement' | 'requiredLabels' | 'failureDomain'>;
}

/** `labels` and `domain`: it stands where it does not belong. `spread` and `pack`: it stands better elsewhere. */
export type MoveReason = 'labels' | 'domain' | 'spread' | 'pack';

export interface Move {
  readonly from: string;
  readonly to: string;
  readonly reason: MoveReason;
}

/** What a move uses of both ends, as providers bill it. */
export interface MoveRules {
  /** Backends whose filling differs by no more than this, from 0 to 1, are left as they are. */
  readonly threshold: number;
  /** Whether what is written there is read again. */
  isReadBack(place: string): boolean;
}

/** A share is a quotient; what differs by less than this is equal. */
const epsilon = 1e-9;

/**
 * Decides which copy of a part moves where, one part after another, on a picture of all backends which it keeps up to date
 * with what it decided; without any I/O. Why it ends, however often it is asked again: what does not belong somewhere moves
 * once; `pack` moves a copy only to a lower position; `spread` moves it only from a backend above the common filling of those
 * that the bucket may use to one below it, and past it on neither side, so that the sum of squares falls each time. Therefore
 * no backend both gives and takes for one bucket's balance, and no more is moved than lies above the common filling.
 */
export class RebalancePlanner {
  readonly #rules: MoveRules;
  readonly #places: ReadonlyMap<string, Mutable<RebalancePlace>>;

  constructor(places: readonly RebalancePlace[], rules: MoveRules) {
    this.#rules = rules;
    this.#places = new Map(places.map((place) => [place.name, { ...place, allowance: { ...place.allowance } }]));
  }

  /** The moves that a part needs, one for each copy at most. The picture changes as if they were made. */
  place(part: PlacedPart): Move[] {
    const moves: Move[] = [];
    let { backends } = part;
    while (moves.length < part.backends.length) {
      const move = this.#next({ ...part, backends }, moves);
      if (move === null) break;
      moves.push(move);
      backends = backends.map((name) => (name === move.from ? move.to : name));
    }
    return moves;
  }

  #next(part: PlacedPart, before: readonly Move[]): Move | null {
    const { backends, wishes } = part;
    const holders = backends.flatMap((name) => this.#places.get(name) ?? []);
    // Where one is not known, or drains, or does not work, others are at it.
    if (holders.length < backends.length || holders.some(({ isOpen }) => !isOpen)) return null;
    const free = [...this.#places.values()].filter(
      (one) => one.isOpen && !backends.includes(one.name) && fitsLabels(one, wishes.requiredLabels),
    );
    // The one that stands worst moves first, or another would have to follow it.
    const sources = holders
      .filter(({ name }) => !before.some(({ to }) => to === name))
      .sort((a, b) => (wishes.placement === 'pack' ? b.position - a.position : filledShare(b) - filledShare(a)));
    for (const reason of ['labels', 'domain', wishes.placement] as const) {
      for (const source of free.length === 0 ? [] : sources) {
        const target = this.#targetFor(part, source, holders, free, reason);
        if (target === null) continue;
        this.#book(part, source, target);
        return { from: source.name, to: target.name, reason };
      }
    }
    return null;
  }

  #targetFor(
    part: PlacedPart,
    source: RebalancePlace,
    holders: readonly RebalancePlace[],
    free: readonly Mutable<RebalancePlace>[],
    reason: MoveReason,
  ): Mutable<RebalancePlace> | null {
    const { wishes, storedBytes } = part;
    const siblings = holders.filter((one) => one !== source);
    const shared = sharers(source, siblings, wishes.failureDomain);
    if (reason === 'labels' && fitsLabels(source, wishes.requiredLabels)) return null;
    if (reason === 'domain' && shared === 0) return null;
    const isBetter = reason === 'spread' ? this.#spreads(source, wishes, storedBytes) : null;
    if (reason === 'spread' && isBetter === null) return null;
    const possible = free.filter((target) => {
      const sharedThen = sharers(target, siblings, wishes.failureDomain);
      if (reason === 'domain' ? sharedThen >= shared : sharedThen > shared) return false;
      if (
        reason === 'pack' &&
        !(target.position < source.position && hasPackRoom(target, storedBytes, this.#rules.threshold))
      )
        return false;
      return (isBetter === null || isBetter(target)) && this.#isAllowed(part, source, target);
    });
    if (possible.length < 2) return possible[0] ?? null;
    const [best] = rankBackends(possible.map(candidateOf), wishes, siblings);
    return possible.find(({ name }) => name === best) ?? null;
  }

  /** Which targets even the filling out when a copy goes there from `source`; `null` when none can. */
  #spreads(
    source: RebalancePlace,
    { requiredLabels }: PlacedPart['wishes'],
    storedBytes: number,
  ): ((target: RebalancePlace) => boolean) | null {
    const usable = [...this.#places.values()].filter((one) => one.isOpen && fitsLabels(one, requiredLabels));
    const common = commonShare(usable);
    const leaving = filledShare(without(source, storedBytes));
    if (leaving < common - epsilon) return null;
    return (target) =>
      filledShare(source) - filledShare(target) > this.#rules.threshold + epsilon &&
      filledShare(without(target, -storedBytes)) <= common + epsilon;
  }

  #isAllowed({ sizeBytes, storedBytes }: PlacedPart, source: RebalancePlace, target: RebalancePlace): boolean {
    const cost = this.costOf(target.name, storedBytes);
    return (
      (target.totalBytes === null || target.usedBytes + storedBytes <= target.totalBytes) &&
      within(sizeBytes, target.objectBytesMax) &&
      within(storedBytes, target.blobBytesMax) &&
      isWithin(cost.source, source.allowance) &&
      isWithin(cost.target, target.allowance)
    );
  }

  /** What moving so many bytes to a place uses of both ends. */
  costOf(target: string, storedBytes: number): { readonly source: Usage; readonly target: Usage } {
    const isReadBack = this.#rules.isReadBack(target);
    return {
      // It is read, and deleted.
      source: { requests: 2, ingressBytes: 0, egressBytes: storedBytes },
      target: { requests: isReadBack ? 2 : 1, ingressBytes: storedBytes, egressBytes: isReadBack ? storedBytes : 0 },
    };
  }

  #book({ storedBytes }: PlacedPart, source: Mutable<RebalancePlace>, target: Mutable<RebalancePlace>): void {
    const cost = this.costOf(target.name, storedBytes);
    source.usedBytes -= storedBytes;
    target.usedBytes += storedBytes;
    source.allowance = lessened(source.allowance, cost.source);
    target.allowance = lessened(target.allowance, cost.target);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Usage = { readonly [K in keyof Allowance]: number };

function candidateOf({ name, position, labels, totalBytes, usedBytes }: RebalancePlace): PlacementCandidate {
  return {
    name,
    position,
    labels,
    totalBytes,
    usedBytes,
    freeBytes: totalBytes === null ? null : totalBytes - usedBytes,
  };
}

/** How full all would be if they were filled alike. */
function commonShare(places: readonly RebalancePlace[]): number {
  let [usedBytes, totalBytes] = [0, 0];
  for (const place of places) {
    if (place.totalBytes === null) return 0;
    usedBytes += place.usedBytes;
    totalBytes += place.totalBytes;
  }
  return filledShare({ usedBytes, totalBytes });
}

function without(place: RebalancePlace, storedBytes: number): RebalancePlace {
  return { ...place, usedBytes: place.usedBytes - storedBytes };
}

function sharers(place: RebalancePlace, others: readonly RebalancePlace[], label: string | null): number {
  return label === null ? 0 : others.filter((one) => domainOf(one, label) === domainOf(place, label)).length;
}

function isWithin(usage: Usage, allowance: Allowance): boolean {
  return (
    within(usage.requests, allowance.requests) &&
    within(usage.ingressBytes, allowance.ingressBytes) &&
    within(usage.egressBytes, allowance.egressBytes)
  );
}

function lessened(allowance: Allowance, usage: Usage): Allowance {
  const { requests, ingressBytes, egressBytes } = allowance;
  return {
    requests: requests === null ? null : requests - usage.requests,
    ingressBytes: ingressBytes === null ? null : ingressBytes - usage.ingressBytes,
    egressBytes: egressBytes === null ? null : egressBytes - usage.egressBytes,
  };
}

function within(value: number, most: number | null): boolean {
  return most === null || value <= most;
}
