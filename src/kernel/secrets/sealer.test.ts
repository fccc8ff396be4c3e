import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../errors/errors.ts';
import { createSealer } from './sealer.ts';
import { parseSecretKey, toSecretKey } from './secret-key.ts';

const sealer = createSealer(toSecretKey(Buffer.alloc(32, 7), 'test'));
const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const refusal = (pattern: RegExp) => (error: unknown) =>
  error instanceof HoldfastError && error.kind === 'internal' && pattern.test(error.message);

describe('a sealed text', () => {
  test('opens to what was sealed, and shows nothing of it', () => {
    fc.assert(
      fc.property(text, text, (plain, about) => {
        assert.equal(sealer.open(sealer.seal(plain, about), about), plain);
      }),
    );
    const sealed = sealer.seal('hunter2-hunter2-hunter2', 'row:1');
    assert.match(sealed, /^hfs1\.[0-9a-f]{12}\.[\w-]+$/);
    assert.ok(!Buffer.from(sealed.split('.')[2]!, 'base64url').includes('hunter2'));
  });

  test('is another one each time', () => {
    const sealed = new Set(Array.from({ length: 200 }, () => sealer.seal('the same', 'row:1')));
    assert.equal(sealed.size, 200);
  });

  test('opens nowhere but where it belongs', () => {
    fc.assert(
      fc.property(text, text, text, (plain, about, other) => {
        fc.pre(about !== other);
        const sealed = sealer.seal(plain, about);
        assert.throws(() => sealer.open(sealed, other), refusal(/belongs to something else/));
      }),
    );
  });

  test('with any flipped bit does not open', () => {
    const sealed = sealer.seal('a secret', 'row:1');
    const bytes = Buffer.from(sealed);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const other = changed.toString('latin1');
      assert.throws(() => sealer.open(other, 'row:1'), HoldfastError, `bit ${bit}: ${other}`);
    }
  });

  test('that was cut, lengthened or made up does not open', () => {
    const sealed = sealer.seal('a secret', 'row:1');
    for (let length = 0; length < sealed.length; length++) {
      assert.throws(() => sealer.open(sealed.slice(0, length), 'row:1'), HoldfastError);
    }
    for (const tail of ['A', '=', ' ', '\n', '.', '.A']) {
      assert.throws(() => sealer.open(sealed + tail, 'row:1'), HoldfastError, JSON.stringify(tail));
    }
    fc.assert(fc.property(fc.string(), (made) => assert.throws(() => sealer.open(made, ''), HoldfastError)));
  });

  test('failure 13: sealed with an unknown key is an explicit error, and no other key is tried', () => {
    const old = createSealer(toSecretKey(randomBytes(32), 'test'));
    const sealed = old.seal('a secret', 'row:1');
    const pattern = new RegExp(`sealed with the key ${old.keyId}, and this server has ${sealer.keyId}`);
    assert.throws(() => sealer.open(sealed, 'row:1'), refusal(pattern));
    // Not even when the text claims to be of the key that is there.
    const renamed = sealed.replace(old.keyId, sealer.keyId);
    assert.throws(() => sealer.open(renamed, 'row:1'), refusal(/it was changed/));
  });

  test('is never longer than a secret is', () => {
    assert.equal(sealer.open(sealer.seal('x'.repeat(65_536), ''), ''), 'x'.repeat(65_536));
    assert.throws(() => sealer.seal('x'.repeat(65_537), ''), { kind: 'invalid' });
  });
});

describe('the text of a key', () => {
  test('is exactly 32 bytes as base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 70 }), (bytes) => {
        const key = parseSecretKey(` ${Buffer.from(bytes).toString('base64')}\n`, 'test');
        assert.equal(key === null, bytes.length !== 32);
        if (key !== null) assert.deepEqual(key.bytes, Buffer.from(bytes));
      }),
    );
    const right = Buffer.alloc(32, 1).toString('base64');
    assert.equal(parseSecretKey(right, 'test')?.bytes.length, 32);
    for (const wrong of ['', right.slice(0, -1), `${right}=`, right.replace('E', '!'), right.replace(/.=$/, 'F=')]) {
      assert.equal(parseSecretKey(wrong, 'test'), null, wrong);
    }
  });

  test('gives an id that differs between keys and is stable', () => {
    assert.equal(toSecretKey(Buffer.alloc(32, 7), 'a').id, toSecretKey(Buffer.alloc(32, 7), 'b').id);
    const ids = new Set(Array.from({ length: 100 }, () => toSecretKey(randomBytes(32), 'test').id));
    assert.equal(ids.size, 100);
  });
});
