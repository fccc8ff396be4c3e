import { toErrorData } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { type AwayWalk, endOutage, noteOutage } from '../ledger/outages.ts';
import type { OutageRow } from '../tables.ts';
import { inParallel } from './batches.ts';

const answerTimeoutMs = 10_000;
/** Backends that seem to work are asked so many times before one that does not would be away: asking costs a request. */
const looksBeforeAway = 4;

export interface OutageWatchOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
  /** How long a backend may be out of order before its copies count as missing. */
  readonly unhealthyAfterMs: number;
}

/** Backends that are away as things are, and how far the copies of each were queued for being made elsewhere. */
export interface ForeseenOutages {
  readonly away: ReadonlySet<string>;
  /** Of those that are not queued whole, in the order in which they are walked. */
  readonly walks: readonly AwayWalk[];
}

/**
 * Keeps on record which backends do not work, and since when, so that a restart does not begin to wait anew. A backend that
 * nobody uses has a closed breaker whatever became of it, so it is asked now and then.
 */
export class OutageWatch {
  readonly #options: OutageWatchOptions;
  readonly #askedAtMs = new Map<string, number>();

  constructor(options: OutageWatchOptions) {
    this.#options = options;
  }

  /** Looks at all backends; gives the names of those that are away. */
  async look(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { store, registry } = this.#options;
    const rows = await store.read((reader) => reader.rows<OutageRow>('select * from backend_outages', []));
    const known = new Map(rows.map((row) => [row.backend, row]));
    const away = new Set<string>();
    await inParallel(registry.all, signal, async (backend) => {
      if (await this.#isAway(backend, known.get(backend.name), signal)) away.add(backend.name);
    });
    return away;
  }

  /** What {@link look} would find and note. Backends are asked as they would be then; nothing is remembered of it. */
  async foresee(signal: AbortSignal): Promise<ForeseenOutages> {
    const { store, registry, clock, unhealthyAfterMs } = this.#options;
    const rows = await store.read((reader) => reader.rows<OutageRow>('select * from backend_outages', []));
    const known = new Map(rows.map((row) => [row.backend, row]));
    const nowMs = clock.nowMs();
    const walks: AwayWalk[] = [];
    const away = new Set<string>();
    let isAnyBack = false;
    await inParallel(registry.all, signal, async (backend) => {
      const { name } = backend;
      const row = known.get(name);
      const found = await this.#ask(backend, row, nowMs, signal);
      const wasAway = (row?.away_at ?? null) !== null;
      if ((found?.reason ?? null) === null) {
        isAnyBack ||= wasAway;
        return;
      }
      if (!wasAway && (row?.since ?? nowMs) > nowMs - unhealthyAfterMs) return;
      away.add(name);
      if (row?.is_walked !== 1) walks.push({ backend: name, walkedTo: row?.walked_to ?? '' });
    });
    const sorted = walks.toSorted((one, other) => (one.backend < other.backend ? -1 : 1));
    // What could not be read while a backend was away is looked for once more when it is back.
    return { away, walks: isAnyBack ? [...away].sort().map((backend) => ({ backend, walkedTo: '' })) : sorted };
  }

  /** What is wrong with a backend; `null` when it seems to work and it is not its turn to be asked. */
  async #ask(
    backend: KnownBackend,
    row: OutageRow | undefined,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly reason: string | null } | null> {
    const isOpen = backend.isOpenFor('read');
    const askedAtMs = this.#askedAtMs.get(backend.name) ?? Number.NEGATIVE_INFINITY;
    // A clock that was set back must not keep anyone from asking.
    const isDue = Math.abs(nowMs - askedAtMs) * looksBeforeAway >= this.#options.unhealthyAfterMs;
    if (isOpen && row === undefined && !isDue) return null;
    return { reason: isOpen ? await reasonOf(backend, signal) : 'Its breaker is open.' };
  }

  async #isAway(backend: KnownBackend, row: OutageRow | undefined, signal: AbortSignal): Promise<boolean> {
    const { store, clock, unhealthyAfterMs: awayAfterMs } = this.#options;
    const { name } = backend;
    const nowMs = clock.nowMs();
    const found = await this.#ask(backend, row, nowMs, signal);
    if (found === null) return false;
    this.#askedAtMs.set(name, nowMs);
    const { reason } = found;
    if (signal.aborted) return (row?.away_at ?? null) !== null;
    if (reason === null) {
      if (row !== undefined) await store.write(endOutage, { backend: name, nowMs });
      return false;
    }
    const isAwayNow = await store.write(noteOutage, { backend: name, reason, awayAfterMs, nowMs });
    return isAwayNow || (row?.away_at ?? null) !== null;
  }
}

/** What is wrong with a backend; `null` when nothing is. */
async function reasonOf({ backend }: KnownBackend, signal: AbortSignal): Promise<string | null> {
  try {
    await backend.health(AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]));
    return null;
  } catch (error) {
    return toErrorData(error).message.slice(0, 500);
  }
}
