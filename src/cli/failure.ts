import { ApiError } from '../client.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { exitCodes } from './exit-codes.ts';

/** An operation that was waited for and did not complete. */
export class OperationFailed extends Error {}

/** Any error as a sentence and an exit code. */
export function explain(error: unknown): { message: string; exitCode: number; body: unknown } {
  if (error instanceof ApiError) {
    const byStatus: Readonly<Record<number, number>> = {
      400: exitCodes.usage,
      404: exitCodes.notFound,
      409: exitCodes.conflict,
      503: exitCodes.unreachable,
    };
    return { message: error.message, exitCode: byStatus[error.status] ?? exitCodes.failed, body: error.body };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HoldfastError) {
    const exitCode =
      error.kind === 'unavailable'
        ? exitCodes.unreachable
        : error.kind === 'invalid'
          ? exitCodes.usage
          : exitCodes.failed;
    return { message, exitCode, body: { error: message, details: error.details } };
  }
  return { message, exitCode: exitCodes.failed, body: { error: message } };
}
