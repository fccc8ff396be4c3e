import type { ServerUnaryCall } from '@grpc/grpc-js';

/** How long a call may take whose caller names no deadline. */
const timeoutDefaultMs = 120_000;
/** No call keeps its place for longer, whatever its caller says. */
const timeoutMaxMs = 600_000;

/** The surroundings of one call. */
export interface Call {
  /** Aborts when the call's deadline has passed or its caller is gone. */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline, at least 1. */
  remainingMs(): number;
}

/** What of grpc-js is needed of a call. */
type IncomingCall = Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'on'>;

/** Makes the deadline of an incoming call one that everything below can wait by. */
export function callOf(incoming: IncomingCall): Call {
  const deadline = incoming.getDeadline();
  const wantedMs = Number(deadline) - Date.now();
  const timeoutMs = Number.isFinite(wantedMs) ? Math.min(Math.max(wantedMs, 1), timeoutMaxMs) : timeoutDefaultMs;
  const endsAt = performance.now() + timeoutMs;
  const cancelled = new AbortController();
  incoming.on('cancelled', () => cancelled.abort());
  return {
    signal: AbortSignal.any([cancelled.signal, AbortSignal.timeout(Math.ceil(timeoutMs))]),
    remainingMs: () => Math.max(1, Math.ceil(endsAt - performance.now())),
  };
}
