import { type KeyOperation, type KeyState, emptyKey, stateText, step } from './objects-model.ts';

/** How many moves are looked at before a history counts as one that nobody can explain. */
const movesMax = 100_000;
const never = Number.POSITIVE_INFINITY;

/**
 * Whether the operations on one key can have taken place one after another, each at some moment between its call and its
 * return, with the results that they had (Herlihy and Wing 1990); what has no known end may have taken place at any moment
 * after its call, or never. The search is that of Wing and Gong with the memory of Lowe. Gives `null`, or how far it came.
 */
export function linearizationFault(operations: readonly KeyOperation[], isVersioned: boolean): string | null {
  const seen = idsSeen(operations);
  const bounded = operations.map((operation) => bound(operation, seen));
  // Writes that nobody saw explain nothing but what a condition met, so first it is tried without them.
  const telling = bounded.filter(({ action, returnAtMs }) => !(action.kind === 'put' && returnAtMs === never));
  if (new Search(telling, isVersioned).run()) return null;
  const search = new Search(bounded, isVersioned);
  return search.run() ? null : search.explain();
}

/** When each id was first told, by the return of who told it. */
function idsSeen(operations: readonly KeyOperation[]): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  const note = (id: string | null | undefined, atMs: number) => {
    if (id != null) seen.set(id, Math.min(atMs, seen.get(id) ?? never));
  };
  for (const { result, returnAtMs } of operations) {
    if (result.kind === 'saw') note(result.version?.id, returnAtMs);
    if (result.kind === 'sawVersions') for (const id of result.ids) note(id, returnAtMs);
  }
  return seen;
}

/** A write of unknown end whose version was seen did happen, and before that. */
function bound(operation: KeyOperation, seen: ReadonlyMap<string, number>): KeyOperation {
  const { action, result } = operation;
  if (result.kind !== 'unknown' || action.kind !== 'put') return operation;
  const returnAtMs = seen.get(action.id);
  return returnAtMs === undefined ? operation : { ...operation, result: { kind: 'done' }, returnAtMs };
}

/** A place in the search: which operations have taken place, and what stands then. */
interface Place {
  readonly state: KeyState;
  /** All ended operations before this one have taken place. */
  readonly low: number;
  /** Those from `low` on that have. */
  readonly beyond: readonly number[];
  /** Operations of unknown end that have. */
  readonly loose: readonly number[];
}

class Search {
  readonly #ended: readonly KeyOperation[];
  readonly #loose: readonly KeyOperation[];
  readonly #isVersioned: boolean;
  readonly #seen = new Map<string, (readonly number[])[]>();
  #moves = 0;
  #best: Place = { state: emptyKey, low: 0, beyond: [], loose: [] };

  constructor(operations: readonly KeyOperation[], isVersioned: boolean) {
    const sorted = operations.toSorted((a, b) => a.callAtMs - b.callAtMs);
    this.#ended = sorted.filter(({ returnAtMs }) => returnAtMs !== never);
    this.#loose = sorted.filter(({ returnAtMs }) => returnAtMs === never);
    this.#isVersioned = isVersioned;
  }

  run(): boolean {
    const stack: Place[] = [this.#best];
    while (stack.length > 0) {
      const place = stack.pop()!;
      if (place.low === this.#ended.length) return true;
      if (progress(place) > progress(this.#best)) this.#best = place;
      // The first one found is looked at first.
      for (const next of this.#nextPlaces(place).toReversed()) {
        if (this.#isNew(next)) stack.push(next);
      }
      if (++this.#moves > movesMax) return false;
    }
    return false;
  }

  explain(): string {
    const { state, low } = this.#best;
    const loose = this.#loose.filter(({ callAtMs }) => callAtMs <= (this.#ended[low]?.returnAtMs ?? 0));
    const begin = this.#moves > movesMax ? 'No order was found' : 'There is no order';
    return [
      `${begin} in which ${this.#ended.length} operations can have happened. After ${low} of them stood`,
      `  [${stateText(state)}], and none of these can be next:`,
      ...this.#ended.slice(low, low + 12).map((operation) => `  ${operationText(operation)}`),
      `  nor one of ${loose.length} of unknown end: ${loose.slice(-6).map(operationText).join('; ')}`,
      '  Before:',
      ...this.#ended.slice(Math.max(0, low - 8), low).map((operation) => `  ${operationText(operation)}`),
    ].join('\n');
  }

  /** Whether nothing as good was seen: the same state, reached with no more of what may or may not have happened. */
  #isNew(place: Place): boolean {
    const id = `${place.low}/${place.beyond.join()}/${stateText(place.state)}`;
    const known = this.#seen.get(id);
    if (known === undefined) this.#seen.set(id, [place.loose]);
    else if (known.some((loose) => loose.every((index) => place.loose.includes(index)))) return false;
    else known.push(place.loose);
    return true;
  }

  #nextPlaces(place: Place): Place[] {
    const places: Place[] = [];
    const { low, beyond, loose } = place;
    let untilMs = never;
    // An operation can be next unless another one returned before it was called.
    for (let index = low; index < this.#ended.length; index++) {
      const operation = this.#ended[index]!;
      if (operation.callAtMs > untilMs) break;
      if (beyond.includes(index)) continue;
      untilMs = Math.min(untilMs, operation.returnAtMs);
      const state = step(place.state, operation, this.#isVersioned);
      if (state !== null) places.push(placeAfter(place, index, state));
    }
    const tried = new Set<string>();
    for (const [index, operation] of this.#loose.entries()) {
      if (operation.callAtMs > untilMs) break;
      // Of two that would do the same it does not matter which one is used up.
      if (loose.includes(index) || tried.has(effectText(operation))) continue;
      tried.add(effectText(operation));
      const state = step(place.state, operation, this.#isVersioned);
      if (state !== null) places.push({ ...place, state, loose: [...loose, index] });
    }
    return places;
  }
}

function placeAfter(place: Place, index: number, state: KeyState): Place {
  const beyond = [...place.beyond, index].sort((a, b) => a - b);
  let { low } = place;
  while (beyond[0] === low) {
    beyond.shift();
    low++;
  }
  return { ...place, state, low, beyond };
}

function effectText({ action }: KeyOperation): string {
  if (action.kind === 'put') return action.id;
  if (action.kind === 'tag') return `tag ${action.tags}`;
  return action.kind === 'removeVersion' ? `remove ${action.target}` : action.kind;
}

function progress({ low, beyond }: Place): number {
  return low + beyond.length;
}

function operationText({ action, result, callAtMs, returnAtMs }: KeyOperation): string {
  const { kind, ...details } = action;
  const { kind: end, ...seen } = result;
  const text = (value: object) => JSON.stringify(value).replaceAll('"', '').slice(1, -1);
  return `${kind} ${text(details)} → ${end} ${text(seen)} [${callAtMs.toFixed(0)}–${returnAtMs.toFixed(0)}]`;
}
