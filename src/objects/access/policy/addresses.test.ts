import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAddressBlock } from './addresses.ts';

describe('a block of addresses', () => {
  const contains = (block: string, address: string) => parseAddressBlock(block)?.contains(address);

  test('contains what has its prefix', () => {
    assert.equal(contains('192.0.2.0/24', '192.0.2.255'), true);
    assert.equal(contains('192.0.2.0/24', '192.0.3.0'), false);
    assert.equal(contains('192.0.2.7', '192.0.2.7'), true);
    assert.equal(contains('192.0.2.7', '192.0.2.8'), false);
    assert.equal(contains('0.0.0.0/0', '203.0.113.9'), true);
    assert.equal(contains('2001:DB8::/32', '2001:db8:1::1'), true);
    assert.equal(contains('2001:db8::/32', '2001:db9::1'), false);
  });

  test('takes a mapped address for the one it maps, and no family for the other', () => {
    assert.equal(contains('192.0.2.0/24', '::ffff:192.0.2.1'), true);
    assert.equal(contains('192.0.2.0/24', '::FFFF:192.0.2.1'), true);
    assert.equal(contains('0.0.0.0/0', '::1'), false);
    assert.equal(contains('::/0', '192.0.2.1'), false);
    assert.equal(contains('0.0.0.0/0', 'nobody'), false);
  });

  test('is nothing else', () => {
    for (const text of ['', '192.0.2', '192.0.2.0/33', '192.0.2.0/', '::/129', '192.0.2.0/-1', 'host', '1.2.3.4/8 ']) {
      assert.equal(parseAddressBlock(text), null, text);
    }
  });
});
