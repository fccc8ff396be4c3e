/**
 * What a key is: the versions that stand under it, the oldest first, of which the last is what is read. Without versioning
 * there is at most one. Pure.
 */
export interface KeyState {
  readonly versions: readonly StandingVersion[];
}

export interface StandingVersion {
  /** Of the write that made it. */
  readonly id: string;
  /** `null` for a delete marker. */
  readonly etag: string | null;
  readonly tags: string;
}

/** A condition of a write, as it stood in its headers. */
export type Condition = { readonly ifMatch: string } | { readonly ifNoneMatch: true };

export type KeyAction =
  | {
      readonly kind: 'put';
      readonly id: string;
      readonly etag: string;
      readonly tags: string;
      readonly condition?: Condition;
    }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'removeVersion'; readonly target: string }
  | { readonly kind: 'tag'; readonly tags: string }
  | { readonly kind: 'read' }
  | { readonly kind: 'readTags' }
  | { readonly kind: 'readVersions' };

/** What was seen of a version. */
export interface SeenVersion {
  /** `null`: it was not told. */
  readonly id: string | null;
  readonly etag: string;
  /** The ETag that it may have as well, when only its bytes were seen. */
  readonly orEtag?: string | null;
}

/**
 * What came of an action. A change is `done`, or `refused` because of what stood there; what a read saw is told; nobody knows
 * of an `unknown` one whether it happened.
 */
export type KeyResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown' }
  /** `null`: nothing stands there. */
  | { readonly kind: 'saw'; readonly version: SeenVersion | null }
  | { readonly kind: 'sawTags'; readonly tags: string | null }
  /** Newest first; `null` for delete markers, whose makers are not told. */
  | { readonly kind: 'sawVersions'; readonly ids: readonly (string | null)[] };

export interface KeyOperation {
  readonly action: KeyAction;
  readonly result: KeyResult;
  /** When it was asked, and when its end was known; monotonic milliseconds. Infinity for an unknown end. */
  readonly callAtMs: number;
  readonly returnAtMs: number;
}

/** Of what a copy wrote that nobody was told of: it is that of its source, whichever that was. */
export const unseenEtag = 'unseen';

export const emptyKey: KeyState = { versions: [] };

/** The state after an operation took place; `null` when it cannot have taken place on this state with that result. */
export function step(state: KeyState, { action, result }: KeyOperation, isVersioned: boolean): KeyState | null {
  const top = state.versions.at(-1);
  const standing = top === undefined || top.etag === null ? null : top;
  if (action.kind === 'read') return result.kind === 'saw' && isSeen(standing, result.version) ? state : null;
  if (action.kind === 'readTags') {
    return result.kind === 'sawTags' && result.tags === (standing?.tags ?? null) ? state : null;
  }
  if (action.kind === 'readVersions')
    return result.kind === 'sawVersions' && isListed(state, result.ids) ? state : null;
  const next = change(state, action, standing, isVersioned);
  if (result.kind === 'done') return next;
  if (result.kind === 'refused') return next === null ? state : null;
  // What may have been refused or not carried out is passed over instead.
  return next === state ? null : next;
}

/** `null` where it would be refused. */
function change(
  state: KeyState,
  action: Extract<KeyAction, { kind: 'put' | 'remove' | 'tag' | 'removeVersion' }>,
  standing: StandingVersion | null,
  isVersioned: boolean,
): KeyState | null {
  const { versions } = state;
  if (action.kind === 'put') {
    const { id, etag, tags, condition } = action;
    if (condition !== undefined && !holds(condition, standing)) return null;
    return { versions: [...(isVersioned ? versions : []), { id, etag, tags }] };
  }
  if (action.kind === 'remove') {
    return { versions: isVersioned ? [...versions, { id: action.id, etag: null, tags: '' }] : [] };
  }
  if (action.kind === 'removeVersion') {
    const kept = versions.filter(({ id }) => id !== action.target);
    return kept.length === versions.length ? state : { versions: kept };
  }
  return standing === null ? null : { versions: [...versions.slice(0, -1), { ...standing, tags: action.tags }] };
}

function holds(condition: Condition, standing: StandingVersion | null): boolean {
  return 'ifMatch' in condition ? standing?.etag === condition.ifMatch : standing === null;
}

function isSeen(standing: StandingVersion | null, seen: SeenVersion | null): boolean {
  if (standing === null || seen === null) return standing === seen;
  if (standing.etag === unseenEtag && seen.id === null) return true;
  const isSame = seen.etag === standing.etag || seen.orEtag === standing.etag;
  return isSame && (seen.id === null || seen.id === standing.id);
}

function isListed({ versions }: KeyState, ids: readonly (string | null)[]): boolean {
  if (versions.length !== ids.length) return false;
  return versions.toReversed().every(({ id, etag }, index) => ids[index] === (etag === null ? null : id));
}

/** One text for one state; delete markers are all the same. */
export function stateText({ versions }: KeyState): string {
  return versions.map(({ id, etag, tags }) => (etag === null ? 'x' : `${id}=${tags}`)).join(',');
}
