import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left. */
  shutdown(): Promise<void>;
}

export interface TracingOptions {
  readonly exporter: 'none' | 'stdout' | 'otlp';
  readonly endpoint: string;
  readonly version: string;
}

/** Traces through the API package alone; the SDK is loaded only when they go somewhere, since it is large. */
export async function createTracing({ exporter, endpoint, version }: TracingOptions): Promise<Tracing> {
  if (exporter === 'none') return { tracer: trace.getTracer('holdfast'), shutdown: async () => {} };
  const sdk = await import('@opentelemetry/sdk-trace-base');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const resource = resourceFromAttributes({ 'service.name': 'holdfast', 'service.version': version });
  const processor =
    exporter === 'stdout'
      ? new sdk.SimpleSpanProcessor(new sdk.ConsoleSpanExporter())
      : new sdk.BatchSpanProcessor(await otlpExporter(endpoint));
  const provider = new sdk.BasicTracerProvider({ resource, spanProcessors: [processor] });
  return { tracer: provider.getTracer('holdfast', version), shutdown: () => provider.shutdown() };
}

async function otlpExporter(endpoint: string) {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
}

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The parent that a `traceparent` header names (W3C Trace Context); the root for anything else. */
export function contextOf(traceparent: string | null | undefined): Context {
  const match = traceparentPattern.exec(traceparent ?? '');
  if (match === null) return ROOT_CONTEXT;
  const [, traceId, spanId, flags] = match;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: traceId!, spanId: spanId!, traceFlags: Number.parseInt(flags!, 16), isRemote: true });
}

/** A span as the `traceparent` that its children, also those of a later process, name; `null` when nothing is traced. */
export function traceparentOf(span: Span): string | null {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (/^0+$/.test(traceId)) return null;
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
