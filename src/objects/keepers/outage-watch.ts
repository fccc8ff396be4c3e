import { toErrorData } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { endOutage, noteOutage } from '../ledger/outages.ts';
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

  async #isAway(backend: KnownBackend, row: OutageRow | undefined, signal: AbortSignal): Promise<boolean> {
    const { store, clock, unhealthyAfterMs: awayAfterMs } = this.#options;
    const { name } = backend;
    const nowMs = clock.nowMs();
    const isOpen = backend.isOpenFor('read');
    const askedAtMs = this.#askedAtMs.get(name) ?? Number.NEGATIVE_INFINITY;
    // A clock that was set back must not keep anyone from asking.
    const isDue = Math.abs(nowMs - askedAtMs) * looksBeforeAway >= awayAfterMs;
    if (isOpen && row === undefined && !isDue) return false;
    this.#askedAtMs.set(name, nowMs);
    const reason = isOpen ? await reasonOf(backend, signal) : 'Its breaker is open.';
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
