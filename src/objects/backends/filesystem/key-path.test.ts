import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isKind } from '../conformance/suite.ts';
import {
  type Piece,
  bytesOfText,
  comparePieces,
  directoriesOfPrefix,
  keyBytes,
  keyOfBytes,
  keyPath,
  pieceOfName,
} from './key-path.ts';

const fragment = fc.constantFrom('/', '//', 'abcdef', 'abcdefghij', 'a', 'b', '!', '0', '%', '.', '..', 'x'.repeat(64));
const anyKey = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
    fc.array(fragment).map((all) => all.join('')),
  )
  .filter((key) => key.length > 0 && Buffer.byteLength(key) <= 1024 && key.isWellFormed());

describe('the path of a key', () => {
  it('spreads the gateway’s keys by their time', () => {
    assert.deepEqual(keyPath('bucket/0192f3c4-5678-7abc-8def-0123456789ab'), {
      directories: ['bucket,', '0192f3+', 'c4-5+'],
      file: '678-7abc-8def-0123456789ab=',
    });
  });

  it('keeps a key apart from the keys below it', () => {
    assert.deepEqual(keyPath('a'), { directories: [], file: 'a=' });
    assert.deepEqual(keyPath('a/'), { directories: [], file: 'a%2F=' });
    assert.deepEqual(keyPath('a/b'), { directories: ['a,'], file: 'b=' });
    assert.deepEqual(keyPath('../x'), { directories: ['..,'], file: 'x=' });
    assert.deepEqual(keyPath('//'), { directories: [','], file: '%2F=' });
  });

  it('comes back from its names, none of which means anything to a file system', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const { directories, file } = keyPath(key);
        const pieces = [...directories, file].map((name) => pieceOfName(name));
        assert.equal(keyOfBytes(pieces.map((piece) => piece!.bytes).join('')), key);
        assert.deepEqual(
          pieces.map((piece) => piece!.isDirectory),
          [...directories.map(() => true), false],
        );
        for (const name of [...directories, file]) assert.match(name, /^[A-Za-z0-9_.%-]{0,192}[,+=]$/);
      }),
    );
  });

  it('stays within what a path may be long, for every key', () => {
    // The worst: escaped bytes, in components that are cut as often as can be.
    const worst = `${'\u0001'.repeat(10)}/`.repeat(93);
    for (const key of [worst, '/'.repeat(1024), '\u0001'.repeat(1024), '\u0001/'.repeat(512)]) {
      const { directories, file } = keyPath(key);
      assert.ok([...directories, file].join('/').length < 3400);
    }
  });

  it('keeps byte order when directories are walked in the order of their pieces (failure 10)', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        assert.equal(Math.sign(comparePaths(a, b)), Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
    const near = fc.tuple(anyKey, anyKey, anyKey);
    fc.assert(
      fc.property(near, ([start, x, y]) => {
        const [a, b] = [start + x, start + y];
        fc.pre(Buffer.byteLength(a) <= 1024 && Buffer.byteLength(b) <= 1024);
        assert.equal(Math.sign(comparePaths(a, b)), Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });

  it('finds every key of a prefix below the directories of the prefix', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (prefix, rest) => {
        fc.pre(Buffer.byteLength(prefix + rest) <= 1024);
        const of = directoriesOfPrefix(bytesOfText(prefix));
        assert.ok(bytesOfText(prefix).startsWith(of.bytes));
        const { directories } = keyPath(prefix + rest);
        assert.deepEqual(directories.slice(0, of.directories.length), of.directories);
        assert.deepEqual(keyPath(prefix).directories, of.directories);
      }),
    );
  });

  it('knows names that are not of its making', () => {
    for (const name of ['', 'a', '.', '..', '%41=', '%2f=', '%=', '%2=', 'a b=', 'lost+found', '.nfs0001', 'ä=']) {
      assert.equal(pieceOfName(name), null, name);
    }
  });

  it('refuses what is no key', () => {
    for (const key of ['', 'x'.repeat(1025), 'é'.repeat(513), 'a\uD800b']) {
      assert.throws(() => keyBytes(key), isKind('invalid'));
    }
  });
});

function comparePaths(a: string, b: string): number {
  const [of, other] = [piecesOf(a), piecesOf(b)];
  for (const [index, piece] of of.entries()) {
    const against = other[index];
    if (against === undefined) return 1;
    const order = comparePieces(piece, against);
    if (order !== 0) return order;
  }
  return of.length - other.length;
}

function piecesOf(key: string): Piece[] {
  const { directories, file } = keyPath(key);
  return [...directories, file].map((name) => pieceOfName(name)!);
}
