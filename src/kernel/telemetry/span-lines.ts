import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';

/**
 * Writes spans as JSON, one a line, so that they can share a stream with the log. `write` gets whole lines; what it throws
 * is the export's failure.
 */
export function spanLines(write: (line: string) => void): SpanExporter {
  return {
    export(spans, done) {
      try {
        for (const span of spans) write(`${JSON.stringify(spanRecord(span))}\n`);
        done({ code: 0 });
      } catch (error) {
        done({ code: 1, error: error instanceof Error ? error : new Error(String(error)) });
      }
    },
    shutdown: async () => {},
  };
}

function spanRecord(span: ReadableSpan): Record<string, unknown> {
  const { traceId, spanId } = span.spanContext();
  return {
    span: span.name,
    trace_id: traceId,
    span_id: spanId,
    ...(span.parentSpanContext === undefined ? {} : { parent_span_id: span.parentSpanContext.spanId }),
    kind: SpanKind[span.kind].toLowerCase(),
    time: new Date(milliseconds(span.startTime)).toISOString(),
    duration_ms: milliseconds(span.duration),
    attributes: span.attributes,
    ...(span.status.code === SpanStatusCode.ERROR ? { error: span.status.message ?? '' } : {}),
  };
}

/** OpenTelemetry's times are seconds and nanoseconds. */
function milliseconds([seconds, nanoseconds]: readonly [number, number]): number {
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
