import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../errors/errors.ts';
import { decodeCursor, encodeCursor, page } from './cursor.ts';

const anyPosition = fc.stringMatching(/^[\w:.-]{1,200}$/);

describe('a cursor', () => {
  test('comes back as the position that it was made of', () => {
    assert.equal(decodeCursor(undefined), undefined);
    fc.assert(fc.property(anyPosition, (position) => assert.equal(decodeCursor(encodeCursor(position)), position)));
    fc.assert(fc.property(anyPosition, (position) => assert.match(encodeCursor(position), /^[\w-]+$/)));
  });

  test('that is not ours is refused, and shown shortened', () => {
    const foreign = [
      '',
      '!',
      'a',
      `${encodeCursor('a:1')}=`,
      encodeCursor("1' or 1"),
      encodeCursor('a/b'),
      encodeCursor('é'),
    ];
    for (const cursor of foreign) {
      assert.throws(() => decodeCursor(cursor), { kind: 'invalid', message: /^The cursor is not one / }, cursor);
    }
    assert.throws(
      () => decodeCursor('!'.repeat(5_000)),
      (error) => error instanceof HoldfastError && String(error.details['provided_value']).length === 100,
    );
  });

  test('of any text is a position or an `invalid` error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        try {
          assert.equal(encodeCursor(decodeCursor(text)!), text);
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.kind === 'invalid');
        }
      }),
    );
  });
});

describe('pages', () => {
  /** Reads all pages as a route does: one row more than is shown tells whether there is more. */
  function readAll(rows: readonly string[], limit: number): { items: string[]; pages: number } {
    const items: string[] = [];
    let cursor: string | undefined;
    for (let pages = 1; ; pages++) {
      const after = decodeCursor(cursor);
      const start = after === undefined ? 0 : rows.indexOf(after) + 1;
      const { items: shown, next_cursor } = page(
        rows.slice(start, start + limit + 1),
        limit,
        (row) => row,
        (row) => row.toUpperCase(),
      );
      items.push(...shown);
      if (next_cursor === null) return { items, pages };
      cursor = next_cursor;
    }
  }

  test('together are every row once, in order, and never one page too many', () => {
    const rows = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 40 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 12 }), (all, limit) => {
        const { items, pages } = readAll(all, limit);
        assert.deepEqual(
          items,
          all.map((row) => row.toUpperCase()),
        );
        assert.equal(pages, Math.max(1, Math.ceil(all.length / limit)));
      }),
    );
  });
});
