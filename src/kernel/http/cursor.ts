import { HoldfastError } from '../errors/errors.ts';

/** A page's end as an opaque token. */
export function encodeCursor(position: string): string {
  return Buffer.from(position).toString('base64url');
}

/** The position in a token of ours. Throws `invalid` for anything else. */
export function decodeCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const position = Buffer.from(cursor, 'base64url').toString();
  if (position.length === 0 || encodeCursor(position) !== cursor || !/^[\w:.-]+$/.test(position)) {
    throw new HoldfastError('invalid', 'The cursor is not one that this server gave.', {
      field: 'cursor',
      provided_value: cursor.slice(0, 100),
    });
  }
  return position;
}

/** A page from one item more than it may hold: whether there is more needs no second query. */
export function page<T, V>(
  rows: readonly T[],
  limit: number,
  positionOf: (row: T) => string,
  view: (row: T) => V,
): { items: V[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(view),
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null,
  };
}
