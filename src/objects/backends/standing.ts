import type { Reader, Store } from '../../kernel/store/store.ts';
import type { Metrics, Sample } from '../../kernel/telemetry/metrics.ts';
import type { BreakerState } from './breaker.ts';
import { type BackendBytes, readBackendBytes } from './filling.ts';
import type { ManagedRegistry } from './store-registry.ts';

/** What was read a moment ago is told again, so that the figures of one scrape are read once. */
const keptMs = 2_000;
/** A scrape does not wait longer for a store that hangs. */
const waitMaxMs = 4_000;
/** Rows beyond so many are not counted: what is told then is "at least". */
const countMax = 10_000;

const breakerStates: readonly BreakerState[] = ['closed', 'open', 'half_open'];

interface Waiting {
  readonly backend: string;
  readonly waiting: number;
  readonly dead: number;
}

interface Figures {
  readonly bytes: readonly BackendBytes[];
  readonly deletions: readonly Waiting[];
  /** Contents with fewer copies than their bucket wants; `null` when nothing could be read. */
  readonly owed: number | null;
}

const nothing: Figures = { bytes: [], deletions: [], owed: null };

export interface StandingOptions {
  readonly store: Store;
  readonly registry: ManagedRegistry;
  readonly onError: (error: unknown, about: string) => void;
}

/**
 * Has metrics tell how each backend stands: by the books of the store, which all processes share, and how it does in this
 * process. While the store cannot be read its figures are left out, since old ones would look like new ones.
 */
export function measureBackends(metrics: Metrics, { store, registry, onError }: StandingOptions): void {
  let last: { readonly atMs: number; readonly figures: Promise<Figures> } | null = null;
  const figures = (): Promise<Figures> => {
    const nowMs = performance.now();
    if (last === null || nowMs - last.atMs > keptMs) {
      const read = within(store.read(readFigures), waitMaxMs).catch((error: unknown) => {
        onError(error, 'backends: metrics');
        return nothing;
      });
      last = { atMs: nowMs, figures: read };
    }
    return last.figures;
  };
  const booked = (name: string, help: string, read: (figures: Figures) => readonly Sample[]) =>
    metrics.gauges(`object_backend_${name}`, ['backend'], help, async () => read(await figures()));
  booked('used_bytes', 'Bytes that stand on a backend, or may, by the books.', ({ bytes }) =>
    bytes.map(({ name: backend, usedBytes }) => ({ labels: { backend }, value: usedBytes })),
  );
  booked('quota_bytes', 'What a backend may hold.', ({ bytes }) =>
    bytes.flatMap(({ name: backend, totalBytes }) =>
      totalBytes === null ? [] : [{ labels: { backend }, value: totalBytes }],
    ),
  );
  booked('deletions_waiting', 'Blobs of a backend that wait for deletion.', ({ deletions }) =>
    deletions.map(({ backend, waiting }) => ({ labels: { backend }, value: waiting })),
  );
  booked('deletions_failed', 'Blobs of a backend whose deletion was given up.', ({ deletions }) =>
    deletions.map(({ backend, dead }) => ({ labels: { backend }, value: dead })),
  );
  metrics.gauges('object_copies_owed', [], 'Parts of objects with fewer copies than wanted.', async () => {
    const { owed } = await figures();
    return owed === null ? [] : [{ labels: {}, value: owed }];
  });
  const stateLabels = ['backend', 'state'];
  metrics.gauges('object_backend_breaker_state', stateLabels, 'Whether calls of a backend are let through here.', () =>
    registry.all.flatMap(({ name: backend, breaker }) =>
      breakerStates.map((state) => ({ labels: { backend, state }, value: breaker.state === state ? 1 : 0 })),
    ),
  );
  metrics.gauges('object_backend_latency_seconds', ['backend'], 'Smoothed time to the first byte of a backend.', () =>
    registry.all.map(({ name: backend, latencyMs }) => ({ labels: { backend }, value: latencyMs / 1_000 })),
  );
}

const inState = (state: string, as: string) =>
  `(select count(*) from (select 1 as one from cleanup c where c.backend = b.name and c.state = '${state}'
    limit ${countMax}) ${as}_rows) as ${as}`;
const deletions = `select b.name as backend, ${inState('waiting', 'waiting')}, ${inState('dead', 'dead')} from object_backends b`;
const shortfalls = `select count(*) as n from (select 1 as one from shortfalls limit ${countMax}) rows_of_it`;

async function readFigures(reader: Reader): Promise<Figures> {
  const [owed] = await reader.rows<{ n: number | string }>(shortfalls, []);
  type Row = Record<'waiting' | 'dead', number | string> & { backend: string };
  const rows = await reader.rows<Row>(deletions, []);
  return {
    bytes: await readBackendBytes(reader),
    deletions: rows.map(({ backend, waiting, dead }) => ({ backend, waiting: Number(waiting), dead: Number(dead) })),
    owed: Number(owed?.n ?? 0),
  };
}

async function within<R>(work: Promise<R>, ms: number): Promise<R> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`The store did not answer within ${ms} ms.`)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
