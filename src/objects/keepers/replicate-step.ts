import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import type { ContentWishes } from '../ledger/wanted-copies.ts';
import type { Copy } from '../object.ts';
import { fitsLabels } from '../placement.ts';

/** What is known of backends for one run, or for one plan. */
export interface BackendsView {
  readonly registry: Pick<ObjectBackendRegistry, 'get'>;
  /** Backends whose copies count as missing. */
  readonly away: ReadonlySet<string>;
}

/**
 * What comes next for a part: `none` when nothing stands, `make` one more copy, or, when there are enough, `drop` those that
 * are not to stay where they are.
 */
export type ReplicateStep =
  | { readonly kind: 'none' }
  /** `isShort`: there are too few copies anywhere, and not just too few where they belong. */
  | { readonly kind: 'make'; readonly isShort: boolean }
  | { readonly kind: 'drop'; readonly staying: readonly Copy[]; readonly leaving: readonly Copy[] };

/** Says what comes next for a part that has these copies, after so many were made. The run and its plan go by it. */
export function nextStep(
  { registry, away }: BackendsView,
  copies: readonly Copy[],
  { settings: { copies: wanted, requiredLabels } }: ContentWishes,
  made: number,
): ReplicateStep {
  if (copies.length === 0) return { kind: 'none' };
  const isActive = ({ backend }: Copy) => registry.get(backend)?.state === 'active';
  const fits = ({ backend }: Copy) => fitsLabels(registry.get(backend) ?? { labels: {} }, requiredLabels);
  const isSafe = (copy: Copy) => isActive(copy) && !away.has(copy.backend);
  const safe = copies.filter(isSafe);
  const staying = safe.filter(fits);
  if (staying.length < wanted && made <= wanted) return { kind: 'make', isShort: safe.length < wanted };
  return { kind: 'drop', staying, leaving: copies.filter((one) => !isActive(one) || (isSafe(one) && !fits(one))) };
}

/**
 * The copy that is read for making another one; each attempt begins with another. Those on backends that do not work come
 * only where there are no others. `null` when there is none.
 */
export function chooseSource(
  { registry, away }: { readonly registry: Pick<ObjectBackendRegistry, 'get'>; readonly away: ReadonlySet<string> },
  copies: readonly Copy[],
  attempts: number,
): Copy | null {
  const open = copies.filter(({ backend }) => isReadable(registry.get(backend)));
  const near = open.filter(({ backend }) => !away.has(backend));
  const choice = near.length > 0 ? near : open.length > 0 ? open : copies;
  return choice[choice.length === 0 ? 0 : attempts % choice.length] ?? null;
}

export function isReadable(known: KnownBackend | null): boolean {
  return known?.isOpenFor('read') === true;
}
