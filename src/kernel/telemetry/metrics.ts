import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** One value of a metric that has several, told apart by labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

type ReadSamples = () => readonly Sample[] | Promise<readonly Sample[]>;

/** What the server counts, in the words of the domain; Prometheus reads it as text. */
export interface Metrics {
  onRequest(operation: string, status: number, seconds: number): void;
  onOperation(kind: string, status: string, seconds: number): void;
  onAttempt(kind: string, step: string, result: string): void;
  onTakeover(count: number): void;
  onBackendCall(backend: string, verb: string, result: string, seconds: number): void;
  onKeeperRun(keeper: string, result: string, seconds: number): void;
  setStreams(count: number): void;
  /** How many requests were answered and how long that took in all, of the operations that `isCounted` picks. */
  responseTimes(
    isCounted: (operation: string) => boolean,
  ): Promise<{ readonly count: number; readonly seconds: number }>;
  /** `read` is asked at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** As a gauge with labels: what is not told at a scrape is not there. What it throws fails the scrape. */
  gauges(name: string, labelNames: readonly string[], help: string, read: ReadSamples): void;
  /** As a gauge, for what only grows. */
  counter(name: string, help: string, read: () => number): void;
  /** The exposition format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'holdfast_' });
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name: `holdfast_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, labelNames: string[]) =>
    new Histogram({ name: `holdfast_${name}`, help, labelNames, registers, buckets: latencyBuckets });
  const requests = counter('http_requests_total', 'Requests answered.', ['operation', 'code']);
  const requestSeconds = histogram('http_request_seconds', 'Time to answer a request.', ['operation']);
  const operations = counter('operations_total', 'Operations that ended.', ['kind', 'status']);
  const operationSeconds = histogram('operation_seconds', 'Time from acceptance to the end.', ['kind']);
  const attempts = counter('operation_step_attempts_total', 'Attempts of steps.', ['kind', 'step', 'result']);
  const takeovers = counter('operations_adopted_total', 'Operations taken over or resumed.', []);
  const backendSeconds = histogram('backend_call_seconds', 'Calls to backends.', ['backend', 'verb', 'result']);
  const keeperRuns = counter('keeper_runs_total', 'Runs of keepers.', ['keeper', 'result']);
  const keeperSeconds = histogram('keeper_run_seconds', 'Time of a keeper run.', ['keeper']);
  const keeperSuccess = new Gauge({
    name: 'holdfast_keeper_last_success_timestamp_seconds',
    help: 'When a keeper last succeeded here.',
    labelNames: ['keeper'],
    registers,
  });
  const streams = new Gauge({ name: 'holdfast_sse_streams', help: 'Open event streams.', registers });
  // Finding a series by its labels costs more than counting; endpoints and codes are few.
  const requestSeries = new Map<string, { count: Counter.Internal; seconds: Histogram.Internal<string> }>();
  return {
    onRequest: (operation, status, seconds) => {
      const key = `${operation} ${status}`;
      let series = requestSeries.get(key);
      if (series === undefined) {
        series = { count: requests.labels({ operation, code: status }), seconds: requestSeconds.labels({ operation }) };
        requestSeries.set(key, series);
      }
      series.count.inc();
      series.seconds.observe(seconds);
    },
    onOperation: (kind, status, seconds) => {
      operations.inc({ kind, status });
      operationSeconds.observe({ kind }, seconds);
    },
    onAttempt: (kind, step, result) => attempts.inc({ kind, step, result }),
    onTakeover: (count) => takeovers.inc(count),
    onBackendCall: (backend, verb, result, seconds) => backendSeconds.observe({ backend, verb, result }, seconds),
    onKeeperRun: (keeper, result, seconds) => {
      keeperRuns.inc({ keeper, result });
      keeperSeconds.observe({ keeper }, seconds);
      if (result === 'ok') keeperSuccess.setToCurrentTime({ keeper });
    },
    setStreams: (count) => streams.set(count),
    gauge: (name, help, read) => registry.registerMetric(askedGauge(name, help, read)),
    gauges: (name, labels, help, read) => registry.registerMetric(askedGauges(name, labels, help, read)),
    counter: (name, help, read) => registry.registerMetric(askedCounter(name, help, read)),
    responseTimes: (isCounted) => totalsOf(requestSeconds, isCounted),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function askedGauge(name: string, help: string, read: () => number): Gauge {
  return new Gauge({
    name: `holdfast_${name}`,
    help,
    registers: [],
    collect() {
      this.set(read());
    },
  });
}

function askedGauges(name: string, labelNames: readonly string[], help: string, read: ReadSamples): Gauge {
  const gauge: Gauge = new Gauge({
    name: `holdfast_${name}`,
    help,
    labelNames: [...labelNames],
    registers: [],
    async collect() {
      const samples = await read();
      gauge.reset();
      // Without labels there is always one value.
      if (labelNames.length === 0) gauge.set(Number.NaN);
      for (const { labels, value } of samples) gauge.set(labels, value);
    },
  });
  return gauge;
}

function askedCounter(name: string, help: string, read: () => number): Counter {
  return new Counter({
    name: `holdfast_${name}`,
    help,
    registers: [],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

async function totalsOf(histogram: Histogram, isCounted: (operation: string) => boolean) {
  const { values } = await histogram.get();
  const picked = values.filter(({ labels }) => isCounted(String(labels['operation'])));
  const total = (suffix: string) =>
    picked.filter(({ metricName }) => metricName?.endsWith(suffix)).reduce((sum, { value }) => sum + value, 0);
  return { count: total('_count'), seconds: total('_sum') };
}
