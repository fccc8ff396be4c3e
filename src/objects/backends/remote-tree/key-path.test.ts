import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bytesOfText, directoryOfPrefix, meaningOfName, pathOfKey, textOfBytes } from './key-path.ts';

const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => text.isWellFormed()),
  fc.constantFrom('/', '//', '.', '..', '_', '_b', 'a', 'A', '%', '\u0000'),
  fc
    .tuple(fc.constantFrom('x', '_', '/', 'é', '😀'), fc.integer({ min: 1, max: 300 }))
    .map(([unit, n]) => unit.repeat(n)),
);
const anyKey = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));

/** What the names of a path mean, put together again; bytes, since a name may end inside of a character. */
function bytesOfPath(path: readonly string[]): string {
  return path.map((name) => meaningOfName(name)?.bytes ?? '?').join('');
}

describe('keys as paths', () => {
  it('are reversible, in names that every server holds', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const path = pathOfKey(key);
        assert.equal(textOfBytes(bytesOfPath(path)), key);
        for (const name of path) assert.match(name, /^[0-9a-z_-]{2,255}$/);
        assert.deepEqual(
          path.map((name) => meaningOfName(name)?.isBlob),
          path.map((_, index) => index === path.length - 1),
        );
      }),
    );
  });

  it('failure 10: never let a directory stand between keys that are not in it', () => {
    const emoji = '😀'.repeat(21);
    fc.assert(
      fc.property(anyKey, anyKey, (one, other) => {
        const [path, bytes] = [pathOfKey(one), bytesOfText(other)];
        for (let depth = 1; depth < path.length; depth++) {
          const inside = bytesOfPath(path.slice(0, depth));
          const isBelow = pathOfKey(other).slice(0, depth).join('/') === path.slice(0, depth).join('/');
          assert.equal(isBelow, bytes.startsWith(inside));
        }
      }),
      // The first name of it is full in the middle of a character.
      { examples: [[emoji, emoji]] },
    );
  });

  it('have a directory for every prefix that holds all keys with it', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (prefix, rest) => {
        const { path, bytes } = directoryOfPrefix(bytesOfText(prefix));
        assert.equal(bytesOfText(prefix).startsWith(bytes), true);
        assert.deepEqual(pathOfKey(prefix + rest).slice(0, path.length), path);
      }),
    );
  });

  it('divide the blobs of a bucket by their time, so that no directory holds all of them', () => {
    const path = pathOfKey('photos/0192f3c4-5678-7abc-8def-0123456789ab');
    assert.deepEqual(path, ['photos_d', '0192_m', 'f3c_m', '4-5678-7abc-8def-0123456789ab_b']);
    assert.deepEqual(pathOfKey('photos/x'), ['photos_d', 'x_b']);
    assert.deepEqual(pathOfKey('photos/0192'), ['photos_d', '0192_m', '_b']);
  });

  it('need few directories, however many slashes a key has', () => {
    assert.ok(pathOfKey('/'.repeat(1024)).length <= 8 + 16);
    assert.ok(pathOfKey('é'.repeat(512)).length <= 14);
  });
});
