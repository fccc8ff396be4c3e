import type { Sealer } from '../../../kernel/secrets/sealer.ts';
import type { Store } from '../../../kernel/store/store.ts';
import type { BackendRow } from '../../tables.ts';
import type { BreakerView } from '../breaker.ts';
import { settingsOf } from '../settings.ts';
import type { ManagedRegistry } from '../store-registry.ts';
import { type UsageBook, type UsageDelta, type UsageMeter, usageMeters } from '../usage.ts';
import { type DrainProgress, drainProgress } from './drain-progress.ts';
import type { BackendHealth, HealthMemo } from './health.ts';
import { type BackendBooks, booksOf } from './queries.ts';

/** All that is told of a backend. */
export interface BackendDetail {
  readonly row: BackendRow;
  readonly secretNames: readonly string[];
  readonly problem: string | null;
  readonly books: BackendBooks;
  readonly usage: UsageDelta & { readonly month: string };
  readonly over: readonly UsageMeter[];
  readonly breaker: BreakerView;
  readonly latencyMs: number;
  readonly health: BackendHealth;
  readonly drain: DrainProgress | null;
}

export interface DetailSources {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly registry: ManagedRegistry;
  readonly usage: UsageBook;
  readonly health: HealthMemo;
}

/** Gathers what is told of a backend: its row, the books, and how it does in this process. */
export async function detailOf(row: BackendRow, sources: DetailSources): Promise<BackendDetail> {
  const { store, sealer, registry, usage, health } = sources;
  const known = registry.get(row.name);
  const [books, drain, howItIs] = await Promise.all([
    store.read((reader) => booksOf(reader, row.name)),
    row.state === 'draining' ? store.read((reader) => drainProgress(reader, row.name)) : null,
    known === null ? notOpenHere : health.of(known),
  ]);
  return {
    row,
    secretNames: secretNamesOf(row, sealer),
    problem: known === null ? notOpenHere.detail : known.problem,
    books,
    usage: usage.total(row.name),
    over: usageMeters.filter((meter) => known?.isOver(meter) ?? false),
    breaker: known?.breaker ?? { state: 'closed', reason: null, retryAfterMs: 0 },
    latencyMs: known?.latencyMs ?? 0,
    health: howItIs,
    drain,
  };
}

const notOpenHere: BackendHealth = {
  isHealthy: false,
  detail: 'This server has not opened it yet.',
  freeBytes: null,
  totalBytes: null,
  checkedAtMs: 0,
};

/** Empty for secrets that cannot be opened; that is a problem which is told elsewhere. */
function secretNamesOf(row: BackendRow, sealer: Sealer): string[] {
  if (row.secrets === null) return [];
  try {
    return Object.keys(settingsOf(row, sealer).secrets).sort();
  } catch {
    return [];
  }
}
