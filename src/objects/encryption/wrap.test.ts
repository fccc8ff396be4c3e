import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isMarked, markCustomerKey, newDataKey, openDataKey } from './data-key.ts';
import { unwrapKey, wrapKey } from './wrap.ts';

const outer = randomBytes(32);

describe('a wrapped key', () => {
  test('opens with the same key and the same words, and with nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.string(), fc.string(), (bytes, about, other) => {
        const wrapped = wrapKey(outer, Buffer.from(bytes), about);
        assert.deepEqual(unwrapKey(outer, wrapped, about), Buffer.from(bytes));
        assert.equal(unwrapKey(randomBytes(32), wrapped, about), null);
        if (other !== about) assert.equal(unwrapKey(outer, wrapped, other), null);
      }),
    );
  });

  test('does not open when any bit was changed', () => {
    const bytes = Buffer.from(wrapKey(outer, randomBytes(32), 'it'), 'base64');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(unwrapKey(outer, changed.toString('base64'), 'it'), null, `bit ${bit}`);
    }
    assert.equal(unwrapKey(outer, '', 'it'), null);
    assert.equal(unwrapKey(outer, bytes.subarray(1).toString('base64'), 'it'), null);
  });

  test('of data belongs to one part of one content', () => {
    const kek = { id: 'kek-1', rootKeyId: 'a', wrapped: '', bytes: outer };
    const owner = { contentId: 'c-1', part: 1 };
    const made = newDataKey(kek, owner);
    assert.deepEqual(openDataKey(outer, made.wrapped, owner), made.bytes);
    assert.equal(openDataKey(outer, made.wrapped, { ...owner, part: 2 }), null);
    assert.equal(openDataKey(outer, made.wrapped, { ...owner, contentId: 'c-2' }), null);
    assert.equal(openDataKey(outer, { ...made.wrapped, kekId: 'kek-2' }, owner), null);
    assert.equal(openDataKey(outer, { ...made.wrapped, kekId: null }, owner), null, 'a customer has the same bytes');
  });

  test('of a customer is recognised by a mark that does not hold it', () => {
    const key = { bytes: randomBytes(32), md5: '' };
    const mark = markCustomerKey(key);
    assert.ok(isMarked(key, mark));
    assert.ok(!isMarked({ bytes: randomBytes(32), md5: '' }, mark));
    assert.ok(!JSON.stringify(mark).includes(key.bytes.toString('base64')));
    assert.notDeepEqual(markCustomerKey(key), mark);
  });
});
