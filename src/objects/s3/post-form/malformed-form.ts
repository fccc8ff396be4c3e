import { objectError } from '../../errors.ts';

/** The error for a form that cannot be read. */
export function malformedForm(reason: string): Error {
  return objectError('MalformedPOSTRequest', { reason });
}
