import { ApiError } from '../client.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { renderError } from '../kernel/http/errors.ts';
import { exitCodes } from './exit-codes.ts';

/** An operation that was waited for and did not complete. */
export class OperationFailed extends Error {}

const byStatus: Readonly<Record<number, number>> = {
  400: exitCodes.usage,
  404: exitCodes.notFound,
  409: exitCodes.conflict,
  503: exitCodes.unreachable,
};

/** Any error as a sentence and an exit code. */
export function explain(error: unknown): { message: string; exitCode: number; body: unknown } {
  if (error instanceof ApiError) {
    const exitCode = byStatus[error.status] ?? exitCodes.failed;
    return { message: error.message + hintOf(error), exitCode, body: error.body };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof HoldfastError)) return { message, exitCode: exitCodes.failed, body: { error: message } };
  const { kind } = error;
  const ownCode = kind === 'invalid' ? exitCodes.usage : exitCodes.failed;
  const exitCode = kind === 'unavailable' ? exitCodes.unreachable : ownCode;
  return { message, exitCode, body: renderError(error).body };
}

/** What a person at the command line can do, where the server's sentence is not made for one. */
function hintOf({ status, message, body }: ApiError): string {
  if (status === 401) return ' Give --token or HOLDFAST_TOKEN; "holdfast token create" makes one.';
  const allowed = body.details?.['allowed_values'];
  if (!Array.isArray(allowed) || message.includes(String(allowed[0]))) return '';
  return ` There are ${allowed.join(', ')}.`;
}
