import { HoldfastError, type ErrorKind } from '../kernel/errors/errors.ts';

/** The gRPC status codes that the driver answers with (https://grpc.io/docs/guides/status-codes). */
export const statusCodes = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;
export type StatusName = keyof typeof statusCodes;

/** A refusal that CSI knows by a code of its own, such as `ALREADY_EXISTS`. */
export class CsiRefusal extends Error {
  readonly status: StatusName;

  constructor(status: StatusName, message: string) {
    super(message);
    this.name = 'CsiRefusal';
    this.status = status;
  }
}

/**
 * What each kind of error is to an orchestrator. `unsupported` is no `UNIMPLEMENTED`, which would mean that the driver has no
 * such RPC: it is something in the request that this server, backend or node cannot do. `overloaded` is no
 * `RESOURCE_EXHAUSTED`, which would mean that the storage is full and make the scheduler look for another place.
 */
const byKind: Readonly<Record<ErrorKind, StatusName>> = {
  invalid: 'INVALID_ARGUMENT',
  not_found: 'NOT_FOUND',
  conflict: 'FAILED_PRECONDITION',
  unsupported: 'INVALID_ARGUMENT',
  backend: 'INTERNAL',
  unavailable: 'UNAVAILABLE',
  overloaded: 'UNAVAILABLE',
  unauthorized: 'UNAUTHENTICATED',
  forbidden: 'PERMISSION_DENIED',
  internal: 'INTERNAL',
};

/** Any thrown value as a gRPC status; what is not ours keeps its message, which stays on this machine. */
export function toStatus(error: unknown, signal: AbortSignal): { readonly code: number; readonly details: string } {
  const details = error instanceof Error ? error.message : String(error);
  if (error instanceof CsiRefusal) return { code: statusCodes[error.status], details };
  // The end of the call's time shows as an error of whatever was waited for.
  if (signal.aborted) {
    const sentence = 'The time of the call ended before the work did. It goes on: call again for its outcome.';
    return { code: statusCodes.DEADLINE_EXCEEDED, details: sentence };
  }
  const name = error instanceof HoldfastError ? byKind[error.kind] : 'INTERNAL';
  return { code: statusCodes[name], details };
}
