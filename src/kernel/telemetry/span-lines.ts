import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-base';

/** Writes each span when it ends, as one line of JSON, so that spans can share a stream with the log. */
export function spanLines(write: (line: string) => void): SpanProcessor {
  return {
    onStart: () => {},
    onEnd(span) {
      try {
        write(`${JSON.stringify(spanRecord(span))}\n`);
      } catch {
        // A trace that cannot be written must not fail the work of which it tells.
      }
    },
    forceFlush: async () => {},
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
