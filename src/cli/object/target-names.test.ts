import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TargetNames } from './target-names.ts';

/** Keys as a listing gives them. */
function inByteOrder(keys: Iterable<string>): string[] {
  return [...new Set(keys)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

/** The path of each key, or the reason why there is none. */
function paths(keys: readonly string[], isEncoding: boolean): Record<string, string> {
  const names = new TargetNames(isEncoding);
  return Object.fromEntries(
    inByteOrder(keys).map((key) => {
      try {
        return [key, names.next(key)];
      } catch (error) {
        return [key, `refused: ${(error as Error).message.split(';')[0]}`];
      }
    }),
  );
}

const key = fc.oneof(
  fc
    .array(fc.constantFrom('a', 'b', '/', '.', '%', '-', '2', 'F', 'é', '😀'), { minLength: 1, maxLength: 8 })
    .map((all) => all.join('')),
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .filter((text) => text.isWellFormed() && !text.includes('\0')),
);

describe('the paths of keys', () => {
  test('are the keys themselves where those can be paths', () => {
    const keys = ['a', 'a b', 'b/c', 'b/c.txt', 'b/d/…', '...', 'c%', '-rf', ' ', 'x\ny'];
    assert.deepEqual(paths(keys, false), Object.fromEntries(inByteOrder(keys).map((one) => [one, one])));
  });

  test('are refused by name where they would lead elsewhere', () => {
    assert.deepEqual(paths(['../x', 'a/../../x', '/etc/passwd', 'a//b', 'a/', '.', '..', './x', 'a/.'], false), {
      '.': 'refused: it has a part "."',
      '..': 'refused: it has a part ".."',
      '../x': 'refused: it has a part ".."',
      './x': 'refused: it has a part "."',
      '/etc/passwd': 'refused: it begins with a slash',
      'a/': 'refused: it has a part without a name',
      'a/.': 'refused: it has a part "."',
      'a/../../x': 'refused: it has a part ".."',
      'a//b': 'refused: it has a part without a name',
    });
  });

  test('are refused where a file would have to be a directory too, also with other keys between', () => {
    assert.deepEqual(paths(['a', 'a!', 'a-b', 'a-b/c', 'a.txt', 'a/b', 'a/b/c', 'a0', 'b/c'], false), {
      a: 'a',
      'a!': 'a!',
      'a-b': 'a-b',
      'a-b/c': 'refused: "a-b" is an object and would have to be a directory too',
      'a.txt': 'a.txt',
      'a/b': 'refused: "a" is an object and would have to be a directory too',
      'a/b/c': 'refused: "a" is an object and would have to be a directory too',
      a0: 'a0',
      'b/c': 'b/c',
    });
  });

  test('are encoded so that they can be read', () => {
    assert.deepEqual(paths(['../x', '/etc', 'a', 'a/', 'a/b', 'a//b', 'a//', '100%', '.'], true), {
      '.': '%2E',
      '../x': '%2E%2E/x',
      '/etc': '%2Fetc',
      '100%': '100%25',
      a: 'a',
      'a/': 'a%2F',
      'a/b': 'a%2Fb',
      'a//': 'a%2F%2F',
      'a//b': 'a%2F%2Fb',
    });
  });

  test('are refused when a part is longer than a file name can be', () => {
    assert.match(paths(['é'.repeat(128)], false)['é'.repeat(128)]!, /^refused: .*255 bytes/);
    assert.equal(paths(['é'.repeat(127)], true)['é'.repeat(127)], 'é'.repeat(127));
  });

  test('name directories that programs have written as empty objects', () => {
    const names = new TargetNames(false);
    assert.equal(names.directory(''), '');
    assert.equal(names.directory('a/'), 'a');
    assert.equal(names.next('a/b'), 'a/b');
    assert.throws(() => names.directory('a/b/'), /"a\/b" is an object/);
    assert.equal(names.directory('a/c/'), 'a/c');
    assert.throws(() => names.directory('b/../'), /has a part "\.\."/);
  });

  test('are encoded beside a file whatever its name is', () => {
    assert.deepEqual(paths(['%', '%/a', '%/a/b', 'x/y'], true), {
      '%': '%25',
      '%/a': '%25%2Fa',
      '%/a/b': '%25%2Fa%2Fb',
      'x/y': 'x/y',
    });
  });

  test('encoded, give the keys back, and never meet', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 40 }), (all) => {
        const found = Object.entries(paths(all, true));
        const files = new Set(found.map(([, path]) => path));
        assert.equal(files.size, found.length);
        for (const [one, path] of found) {
          assert.equal(decodeURIComponent(path), one);
          const parts = path.split('/');
          assert.ok(
            parts.every((part) => part !== '' && part !== '.' && part !== '..'),
            path,
          );
          for (let end = 1; end < parts.length; end++) {
            assert.ok(!files.has(parts.slice(0, end).join('/')), `${path} is below a file`);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('not encoded, never leave the directory nor meet', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 40 }), (all) => {
        const files = Object.values(paths(all, false)).filter((path) => !path.startsWith('refused: '));
        for (const path of files) {
          const parts = path.split('/');
          assert.ok(
            parts.every((part) => part !== '' && part !== '.' && part !== '..'),
            path,
          );
          for (let end = 1; end < parts.length; end++) assert.ok(!files.includes(parts.slice(0, end).join('/')), path);
        }
      }),
    );
  });
});
