import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ListPosition } from '../gateway.ts';

/** Where a listing goes on, as an opaque text. */
export function encodePosition({ key, isPrefix }: ListPosition): string {
  return Buffer.from(`${isPrefix ? 'p' : 'k'}${key}`).toString('base64url');
}

/** The inverse. Throws `invalid` for what is not ours. */
export function decodePosition(cursor: string): ListPosition {
  const text = Buffer.from(cursor, 'base64url').toString();
  const isPrefix = text.startsWith('p');
  const position = { key: text.slice(1), isPrefix };
  if ((!isPrefix && !text.startsWith('k')) || encodePosition(position) !== cursor) {
    throw new HoldfastError('invalid', 'The cursor is not one that this server gave.', { field: 'cursor' });
  }
  return position;
}
