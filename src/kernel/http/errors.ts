import type { ErrorObject } from 'ajv';
import { type ErrorData, type ErrorKind, HoldfastError, toErrorData } from '../errors/errors.ts';
import { type ErrorCode, errorCodes } from './schemas.ts';

/** How each kind of error is told over HTTP: one catalogue for the whole API. */
const rendering: Readonly<Record<ErrorKind, { readonly status: number; readonly code: ErrorCode }>> = {
  invalid: { status: 400, code: 'INVALID_REQUEST' },
  unauthorized: { status: 401, code: 'UNAUTHORIZED' },
  forbidden: { status: 403, code: 'FORBIDDEN' },
  not_found: { status: 404, code: 'NOT_FOUND' },
  conflict: { status: 409, code: 'CONFLICT' },
  unsupported: { status: 422, code: 'BACKEND_ERROR' },
  overloaded: { status: 429, code: 'SERVICE_UNAVAILABLE' },
  internal: { status: 500, code: 'INTERNAL_ERROR' },
  backend: { status: 502, code: 'BACKEND_ERROR' },
  unavailable: { status: 503, code: 'SERVICE_UNAVAILABLE' },
};

export interface ErrorBody {
  readonly error: string;
  readonly code: ErrorCode;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Any thrown value as a status and a body. What is not ours says nothing of its inside. */
export function renderError(error: unknown): { status: number; body: ErrorBody } {
  if (error instanceof HoldfastError) return renderErrorData(toErrorData(error));
  const message = 'Something went wrong inside the server; its log tells more.';
  return { status: rendering.internal.status, body: { error: message, code: rendering.internal.code } };
}

/** An error as plain data, such as one that is kept with an operation, as a status and a body. */
export function renderErrorData({ kind, message, details = {} }: ErrorData): { status: number; body: ErrorBody } {
  const { status, code } = rendering[kind];
  // What knows them better than its kind does: the server's own refusals (413, 415), protocols, and systems behind us. Headers
  // of the answer are no part of its body.
  const { http_status: ownStatus, http_code: ownCode, reply_headers: _, ...rest } = details;
  const body = {
    error: message,
    code: errorCodes.find((known) => known === ownCode) ?? code,
    ...(Object.keys(rest).length > 0 ? { details: rest } : {}),
  };
  return { status: typeof ownStatus === 'number' ? ownStatus : status, body };
}

/** The kind of error that a status tells; the inverse of {@link renderErrorData}, for clients. */
export function kindOfStatus(status: number): ErrorKind {
  const kinds = Object.entries(rendering) as [ErrorKind, { readonly status: number }][];
  const found = kinds.find(([, { status: its }]) => its === status);
  if (found !== undefined) return found[0];
  return status >= 400 && status < 500 ? 'invalid' : 'unavailable';
}

/** A failed validation as one sentence that names the field. */
export function validationError(errors: readonly ErrorObject[], part: string, value: unknown): HoldfastError {
  const first = errors[0]!;
  const parent = first.instancePath.slice(1).replaceAll('/', '.');
  const own = (name: string) => (parent === '' ? name : `${parent}.${name}`);
  if (first.keyword === 'additionalProperties') {
    const field = own(String(first.params['additionalProperty']));
    return new HoldfastError('invalid', `Unknown field "${field}" in the ${part}.`, { field });
  }
  if (first.keyword === 'required') {
    const field = own(String(first.params['missingProperty']));
    return new HoldfastError('invalid', `The field "${field}" is missing in the ${part}.`, { field });
  }
  const field = parent === '' ? part : parent;
  const provided = at(value, first.instancePath);
  const details = {
    field,
    ...(provided === undefined ? {} : { provided_value: shortened(provided) }),
    ...limits(first),
  };
  return new HoldfastError('invalid', `The field "${field}" in the ${part} ${first.message ?? 'is wrong'}.`, details);
}

function limits(error: ErrorObject): Record<string, unknown> {
  const limit: unknown = error.params['limit'];
  if (error.keyword === 'minimum' || error.keyword === 'exclusiveMinimum') return { minimum_value: limit };
  if (error.keyword === 'maximum' || error.keyword === 'exclusiveMaximum') return { maximum_value: limit };
  if (error.keyword === 'minLength' || error.keyword === 'minProperties') return { minimum_length: limit };
  if (error.keyword === 'maxLength' || error.keyword === 'maxProperties') return { maximum_length: limit };
  if (error.keyword === 'enum') return { allowed_values: error.params['allowedValues'] };
  if (error.keyword === 'pattern') return { pattern: error.params['pattern'] };
  return {};
}

function at(value: unknown, path: string): unknown {
  let current: unknown = value;
  for (const key of path.split('/').slice(1)) current = (current as Record<string, unknown> | undefined)?.[key];
  return current;
}

function shortened(value: unknown): unknown {
  return typeof value === 'string' && value.length > 200 ? `${value.slice(0, 200)}…` : value;
}
