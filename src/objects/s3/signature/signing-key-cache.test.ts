import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { describe, test } from 'node:test';
import { parseAuthorization } from './authorization.ts';
import { signRequest } from './sign.ts';
import type { SignatureClaim, SignedRequest } from './signed-request.ts';
import { signingKey } from './signing-key.ts';
import { SigningKeyCache } from './signing-key-cache.ts';
import { verifyWithSecret } from './verify.ts';

const scope = { date: '20260102', region: 'us-east-1' };
const key = createSecretKey(Buffer.from('key'));
const timeMs = Date.UTC(2026, 0, 2);

function signed(region: string, secret: string): [claim: SignatureClaim, request: SignedRequest] {
  const bare = { method: 'GET', rawPath: '/b/k', rawQuery: '', rawHeaders: ['Host', 'localhost'] };
  const credentials = { accessKey: 'AK', secret, region };
  const rawHeaders = signRequest(bare, credentials, { timeMs, payloadHash: 'UNSIGNED-PAYLOAD' });
  const request = { ...bare, rawHeaders };
  return [parseAuthorization(request, timeMs) as SignatureClaim, request];
}

describe('the cache of signing keys', () => {
  test('failure 25: holds no more than it may, whatever regions and keys clients name', () => {
    const cache = new SigningKeyCache(10);
    for (let index = 0; index < 1000; index += 1) {
      const [claim, request] = signed(`region-${index}`, 'secret');
      verifyWithSecret(claim, request, 'secret', cache);
      assert.ok(cache.size <= 10);
    }
    assert.equal(cache.size, 10);
    assert.notEqual(cache.find('AK', 'secret', { date: '20260102', region: 'region-999' }), undefined);
    assert.equal(cache.find('AK', 'secret', { date: '20260102', region: 'region-989' }), undefined);
  });

  test('failure 25: gives no place to who does not have the secret', () => {
    const cache = new SigningKeyCache(2);
    const [good, request] = signed('good', 'secret');
    verifyWithSecret(good, request, 'secret', cache);
    for (let index = 0; index < 100; index += 1) {
      const [claim, forged] = signed(`region-${index}`, 'guess');
      assert.throws(() => verifyWithSecret(claim, forged, 'secret', cache));
    }
    assert.equal(cache.size, 1);
    assert.notEqual(cache.find('AK', 'secret', good.scope), undefined);
  });

  test('lets the least recently used go first', () => {
    const cache = new SigningKeyCache(2);
    cache.keep('a', 's', scope, key);
    cache.keep('b', 's', scope, key);
    assert.equal(cache.find('a', 's', scope), key);
    cache.keep('c', 's', scope, key);
    assert.equal(cache.find('b', 's', scope), undefined);
    assert.equal(cache.find('a', 's', scope), key);
    assert.equal(cache.find('c', 's', scope), key);
  });

  test('gives a key only for the secret, day and region it was derived from', () => {
    const cache = new SigningKeyCache(10);
    cache.keep('a', 'old', scope, key);
    assert.equal(cache.find('a', 'new', scope), undefined);
    assert.equal(cache.find('a', 'old', { ...scope, date: '20260103' }), undefined);
    assert.equal(cache.find('a', 'old', { ...scope, region: 'eu-west-1' }), undefined);
    cache.keep('a', 'new', scope, signingKey('new', scope));
    assert.equal(cache.find('a', 'old', scope), undefined);
    assert.ok(cache.find('a', 'new', scope)?.equals(signingKey('new', scope)));
  });

  test('gives back the key that it derived, without deriving it again', () => {
    const cache = new SigningKeyCache(10);
    const [claim, request] = signed('us-east-1', 'secret');
    const first = verifyWithSecret(claim, request, 'secret', cache);
    assert.ok(first?.equals(signingKey('secret', claim.scope)));
    assert.equal(verifyWithSecret(claim, request, 'secret', cache), first);
  });
});
