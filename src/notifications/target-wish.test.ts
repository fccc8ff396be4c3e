import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HoldfastError } from '../kernel/errors/errors.ts';
import { type TargetWish, grantWish } from './target-wish.ts';

const url = 'https://example.org/hook';
const broker = { url: 'mqtts://example.org:8883', topic: 'a/b' };
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

describe('a wish', () => {
  test('of a webhook without a secret is given one, which stays', () => {
    const granted = grantWish('webhook', null, { url });
    assert.match(granted.made!, /^whsec_[A-Za-z0-9+/]{43}=$/);
    const changed = grantWish('webhook', granted, { url: 'http://example.org/' });
    assert.deepEqual([changed.made, changed.secrets.secret], [null, granted.made]);
  });

  test('changes what it names and nothing else', () => {
    const first = grantWish('webhook', null, { url, secret, headers: { 'X-A': '1' }, timeoutMs: 5_000 });
    assert.deepEqual(first.settings.headerNames, ['x-a']);
    const second = grantWish('webhook', first, { parallel: 2 });
    assert.deepEqual(second.settings, { ...first.settings, parallel: 2 });
    assert.deepEqual(second.secrets, first.secrets);
    const login = grantWish('mqtt', null, { ...broker, username: 'u', password: 'p' });
    assert.deepEqual(grantWish('mqtt', login, { username: null, password: null }).secrets, {});
    assert.deepEqual(grantWish('mqtt', login, { topic: 'c' }).secrets, { username: 'u', password: 'p' });
  });

  const wrong: readonly [string, 'webhook' | 'mqtt', TargetWish][] = [
    ['url', 'webhook', {}],
    ['url', 'webhook', { url: 'ftp://example.org/' }],
    ['url', 'webhook', { url: 'example.org' }],
    ['url', 'webhook', { url: 'https://user:secret@example.org/' }],
    ['url', 'mqtt', { ...broker, url }],
    ['url', 'mqtt', { ...broker, url: 'mqtt://example.org/path' }],
    ['topic', 'mqtt', { url: broker.url }],
    ['topic', 'mqtt', { ...broker, topic: 'a/#' }],
    ['topic', 'mqtt', { ...broker, topic: '$SYS/a' }],
    ['topic', 'webhook', { url, topic: 'a' }],
    ['username', 'mqtt', { ...broker, password: 'p' }],
    ['headers', 'mqtt', { ...broker, headers: {} }],
    ['headers', 'webhook', { url, headers: { 'Content-Type': 'text/plain' } }],
    ['headers', 'webhook', { url, headers: { 'Webhook-Signature': 'v1,x' } }],
    ['headers', 'webhook', { url, headers: { 'a b': 'x' } }],
    ['headers', 'webhook', { url, headers: { a: 'x\r\nb: y' } }],
    ['headers', 'webhook', { url, headers: { a: '1', A: '2' } }],
    ['secret', 'webhook', { url, secret: 'hunter2' }],
    ['secret', 'webhook', { url, secret: 'whsec_c2hvcnQ=' }],
    ['source', 'webhook', { url, source: 'a b' }],
    ['ca', 'mqtt', { ...broker, ca: 'not a certificate' }],
  ];
  for (const [field, kind, wish] of wrong) {
    test(`is refused: ${kind} ${JSON.stringify(wish)}`, () => {
      assert.throws(
        () => grantWish(kind, null, wish),
        (error: HoldfastError) => error.kind === 'invalid' && error.details['field'] === field,
      );
    });
  }
});
