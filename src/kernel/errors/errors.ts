/**
 * What kind of thing went wrong, in the words of the domain. No HTTP status here: each face
 * (HTTP, command line, later S3) renders a kind in its own way.
 */
export type ErrorKind =
  | 'invalid' // the request itself is wrong
  | 'not_found'
  | 'conflict' // the state of things does not allow it now
  | 'unsupported' // the backend cannot do it, now or ever
  | 'backend' // the real system refused or failed
  | 'unavailable' // the real system or the store cannot be reached; the outcome may be unknown
  | 'overloaded' // admission control said no; try later
  | 'unauthorized'
  | 'forbidden'
  | 'internal';

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The error in a form that survives JSON and thread boundaries. */
export interface ErrorData {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly details?: ErrorDetails;
}

/** The one error class of the domain: a kind, a sentence for people, and details for programs. */
export class HoldfastError extends Error {
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HoldfastError';
    this.kind = kind;
    this.details = details;
  }
}

/** Any thrown value as data. What is not ours becomes `internal` and keeps its message. */
export function toErrorData(error: unknown): ErrorData {
  if (error instanceof HoldfastError) {
    const hasDetails = Object.keys(error.details).length > 0;
    return { kind: error.kind, message: error.message, ...(hasDetails ? { details: error.details } : {}) };
  }
  return { kind: 'internal', message: error instanceof Error ? error.message : String(error) };
}

/** The inverse of {@link toErrorData}, so that an error thrown in a worker is the same error here. */
export function fromErrorData(data: ErrorData): HoldfastError {
  return new HoldfastError(data.kind, data.message, data.details ?? {});
}
