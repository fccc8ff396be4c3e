import { ApiError } from '../../client.ts';

/** What the server's own answer does not say in words, told like an answer, with the same exit code. */
export function notFound(message: string): ApiError {
  return new ApiError(404, { error: message, code: 'NOT_FOUND' });
}
