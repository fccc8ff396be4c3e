import type { FastifyRequest } from 'fastify';
import { objectError } from '../errors.ts';
import { requireKey } from '../keys.ts';

const root = '/api/v1/objects/';

/**
 * The key in the address of a request, decoded once from the wire: `//`, `.` and `..` are part of it. `suffix` is what
 * follows it in addresses of its actions.
 */
export function keyOf(request: FastifyRequest, suffix = ''): string {
  const [path = ''] = (request.raw.url ?? '').split('?', 1);
  const rest = path.slice(root.length);
  const encoded = rest.slice(rest.indexOf('/') + 1);
  if (!encoded.endsWith(suffix)) throw objectError('InvalidURI', {}, `There is nothing to do here but ${suffix}.`);
  let key: string;
  try {
    key = decodeURIComponent(encoded.slice(0, encoded.length - suffix.length));
  } catch {
    throw objectError('InvalidURI', {}, 'The key is not valid UTF-8 text.');
  }
  requireKey(key);
  return key;
}
