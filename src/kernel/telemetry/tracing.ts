import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  isSpanContextValid,
  trace,
} from '@opentelemetry/api';
import { spanLines } from './span-lines.ts';

/** For one batch with its retries. Short, since a stop of the server waits for the last batch. */
const exportTimeoutMs = 2_000;

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left. */
  shutdown(): Promise<void>;
}

export interface TracingOptions {
  readonly exporter: 'none' | 'stdout' | 'otlp';
  /** The base URL of an OTLP/HTTP collector; `/v1/traces` is added to it. */
  readonly endpoint: string;
  readonly version: string;
  /** Where `stdout` writes its lines; the process's standard output by default. */
  readonly write?: (line: string) => void;
}

/** Traces through the API package alone; the SDK is loaded only when they go somewhere, since it is large. */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const { exporter, endpoint, version, write = (line) => void process.stdout.write(line) } = options;
  if (exporter === 'none') return { tracer: trace.getTracer('holdfast'), shutdown: async () => {} };
  const sdk = await import('@opentelemetry/sdk-trace-base');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const resource = resourceFromAttributes({ 'service.name': 'holdfast', 'service.version': version });
  const processor = exporter === 'stdout' ? spanLines(write) : new sdk.BatchSpanProcessor(await otlpExporter(endpoint));
  const provider = new sdk.BasicTracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('holdfast', version);
  // A collector that is away loses its spans; it must not make the server's stop a failure.
  return { tracer, shutdown: () => provider.shutdown().catch(() => {}) };
}

async function otlpExporter(endpoint: string) {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces`, timeoutMillis: exportTimeoutMs });
}

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The parent that a `traceparent` header names (W3C Trace Context); the root for anything else. */
export function contextOf(traceparent: string | null | undefined): Context {
  const [, traceId = '', spanId = '', flags = '0'] = traceparentPattern.exec(traceparent ?? '') ?? [];
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

/** A span as the `traceparent` that its children, also those of a later process, name; `null` when nothing is traced. */
export function traceparentOf(span: Span): string | null {
  const context = span.spanContext();
  if (!isSpanContextValid(context)) return null;
  const { traceId, spanId, traceFlags } = context;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Runs `body` in a span that ends with it and keeps its error. */
export async function withSpan<T>(
  tracer: Tracer,
  name: string,
  attributes: Attributes,
  parent: Context,
  body: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, { attributes }, parent);
  try {
    return await body(span);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    span.recordException(error instanceof Error ? error : message);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}
