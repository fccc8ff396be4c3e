import type { Values } from '../kernel/config/settings.ts';
import type { Metrics } from '../kernel/telemetry/metrics.ts';
import { Admission } from './admission/admission.ts';
import { BackgroundGate } from './admission/background-gate.ts';
import { type Bucket, bucketRatesOf } from './bucket.ts';
import { ContentCache } from './reading/cache.ts';
import { Hedging } from './reading/hedge.ts';

/** What keeps the gateway answering under load, and while backends are slow. */
export interface LoadParts {
  readonly admission: Admission;
  /** Through which keepers work. */
  readonly gate: BackgroundGate;
  readonly hedging: Hedging;
  /** `undefined` when nothing is to be kept. */
  readonly cache: ContentCache | undefined;
}

type LoadValues = Pick<
  Values,
  'objectCacheBytes' | 'objectRequestsMax' | 'objectRequestWaitMs' | 'objectUserRate' | 'objectBucketRate'
>;

/** Makes them as the settings say, and has them tell their figures. */
export function createLoadParts(
  values: LoadValues,
  metrics: Metrics,
  bucketOf: (name: string) => Promise<Bucket>,
): LoadParts {
  const clock = { nowMs: () => performance.now() };
  const { objectRequestsMax: requestsMax, objectRequestWaitMs: waitMs } = values;
  const { objectUserRate: userRate, objectBucketRate: bucketRate, objectCacheBytes: bytesMax } = values;
  // A bucket that is not there has no rates; whoever asks for it is told so later.
  const ratesOf = async (name: string) => {
    const bucket = await bucketOf(name).catch(() => null);
    return bucket && bucketRatesOf(bucket.settings);
  };
  const admission = new Admission({ requestsMax, waitMs, userRate, bucketRate, ratesOf, clock });
  const gate = new BackgroundGate({ clock, isQueueing: () => admission.waiting > 0 });
  const hedging = new Hedging((tookMs) => gate.foregroundTook(tookMs));
  const cache = bytesMax === 0 ? undefined : new ContentCache({ bytesMax });
  const { gauge, counter } = metrics;
  gauge('object_requests_at_work', 'Requests for objects at work.', () => admission.atWork);
  gauge('object_requests_waiting', 'Requests for objects that wait for their turn.', () => admission.waiting);
  const { refusals } = admission;
  counter('object_requests_over_rate_total', 'Requests refused for their rate.', () => refusals.rate);
  counter('object_requests_without_turn_total', 'Requests refused since too many waited.', () => refusals.queue);
  gauge('object_background_limit', 'How much keepers may do at once.', () => gate.limit);
  gauge('object_background_active', 'How much keepers do at once.', () => gate.active);
  const { counts } = hedging;
  counter('object_read_hedges_total', 'Second copies opened since the first was late.', () => counts.hedges);
  counter('object_read_hedge_wins_total', 'Second copies that came first.', () => counts.wins);
  counter('object_read_hedge_refusals_total', 'Second copies not opened, for their share.', () => counts.refusals);
  counter('object_read_probes_total', 'Reads that measured a backend passed over.', () => counts.probes);
  counter('object_cache_hits_total', 'Reads answered from memory.', () => cache?.hits ?? 0);
  counter('object_cache_misses_total', 'Reads of small contents that asked a backend.', () => cache?.misses ?? 0);
  gauge('object_cache_bytes', 'Memory that kept contents take.', () => cache?.bytes ?? 0);
  return { admission, gate, hedging, cache };
}
