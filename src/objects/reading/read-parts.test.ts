import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ContentPart } from '../object.ts';
import { piecesOf } from './read-parts.ts';

const sizes = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 6 });

function partsOf(all: readonly number[]): ContentPart[] {
  return all.map((sizeBytes, index) => ({
    part: index * 3 + 1,
    sizeBytes,
    etag: '',
    crc32: 0,
    checksums: [],
    modifiedAtMs: 0,
  }));
}

/** Every byte of the whole as the part it stands in and its place there. */
function bytesOf(parts: readonly ContentPart[]): string[] {
  return parts.flatMap(({ part, sizeBytes }) => Array.from({ length: sizeBytes }, (_, at) => `${part}:${at}`));
}

function bytesRead(parts: readonly ContentPart[], pieces: ReturnType<typeof piecesOf>): string[] {
  return pieces.flatMap(({ part, range }) => {
    const { sizeBytes } = parts.find((one) => one.part === part)!;
    const { offset, length } = range ?? { offset: 0, length: sizeBytes };
    assert.ok(length > 0 && offset + length <= sizeBytes, 'a piece lies inside of its part and is not empty');
    return Array.from({ length }, (_, at) => `${part}:${offset + at}`);
  });
}

describe('pieces of parts', () => {
  test('are the whole in order', () => {
    fc.assert(
      fc.property(sizes, (all) => {
        const parts = partsOf(all);
        const pieces = piecesOf(parts, null);
        assert.deepEqual(bytesRead(parts, pieces), bytesOf(parts));
        assert.ok(
          pieces.every(({ range }) => range === null),
          'whole parts can be verified',
        );
      }),
    );
  });

  test('are just the bytes of a range', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (all, one, other) => {
        const parts = partsOf(all);
        const bytes = bytesOf(parts);
        fc.pre(bytes.length > 0);
        const offset = one % bytes.length;
        const length = 1 + (other % (bytes.length - offset));
        const found = bytesRead(parts, piecesOf(parts, { offset, length }));
        assert.deepEqual(found, bytes.slice(offset, offset + length));
      }),
    );
  });
});
