import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { formatAmzDate, parseAmzDate, parseHttpDate } from './amz-date.ts';
import { parsePostAuthorization, signPolicy, verifyPostSignature } from './post-form.ts';
import { presign, signRequest } from './sign.ts';
import { signingKey } from './signing-key.ts';
import { SigningKeyCache } from './signing-key-cache.ts';

const credentials = { accessKey: 'AKID', secret: 'secret', region: 'r', sessionToken: 'token/with+signs' };
const timeMs = Date.UTC(2026, 1, 3, 12);
const bare = { method: 'GET', rawPath: '/b/k', rawQuery: 'versionId=1', rawHeaders: ['Host', 'h'] };

describe('the signer', () => {
  test('leaves unsigned what changes on the way, and replaces an older signature', () => {
    const rawHeaders = [
      'Host',
      'h',
      'Range',
      'bytes=0-1',
      'User-Agent',
      'ours',
      'Connection',
      'close',
      'X-Amz-Date',
      'old',
    ];
    const first = signRequest({ ...bare, rawHeaders }, credentials, { timeMs, payloadHash: 'UNSIGNED-PAYLOAD' });
    assert.match(first.at(-1)!, /SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token,/);
    assert.ok(first.includes('close') && !first.includes('old'));
    const again = signRequest({ ...bare, rawHeaders: first }, credentials, { timeMs, payloadHash: 'UNSIGNED-PAYLOAD' });
    assert.deepEqual(again, first);
  });

  test('keeps the query of a URL that it presigns, and adds the session', () => {
    const query = presign(bare, credentials, { timeMs, expiresSeconds: 60 });
    assert.match(query, /^versionId=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260203%2Fr%2Fs3%2F/);
    assert.match(query, /&X-Amz-Security-Token=token%2Fwith%2Bsigns&X-Amz-Signature=[0-9a-f]{64}$/);
  });

  test('presigns for a second to seven days', () => {
    for (const expiresSeconds of [0, -1, 604_801, 1.5, Number.NaN]) {
      assert.throws(
        () => presign(bare, credentials, { timeMs, expiresSeconds }),
        (error) => error instanceof HoldfastError && error.kind === 'invalid',
      );
    }
    for (const expiresSeconds of [1, 604_800]) {
      assert.match(
        presign(bare, credentials, { timeMs, expiresSeconds }),
        new RegExp(`X-Amz-Expires=${expiresSeconds}&`),
      );
    }
  });

  test('signs the same with a key that it kept', () => {
    const cache = new SigningKeyCache(2);
    const signing = { timeMs, payloadHash: 'UNSIGNED-PAYLOAD' };
    const expected = signRequest(bare, credentials, signing);
    assert.deepEqual(signRequest(bare, credentials, signing, cache), expected);
    assert.equal(cache.size, 1);
    assert.deepEqual(signRequest(bare, credentials, signing, cache), expected);
    const url = { timeMs, expiresSeconds: 60 };
    assert.equal(presign(bare, credentials, url, cache), presign(bare, credentials, url));
    assert.equal(cache.size, 1);
  });

  test('needs the host', () => {
    assert.throws(() => presign({ ...bare, rawHeaders: [] }, credentials, { timeMs, expiresSeconds: 1 }), TypeError);
  });
});

describe('the time of a signature', () => {
  test('is read as it is written, to the second', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }), (date) => {
        const seconds = Math.floor(date.getTime() / 1000) * 1000;
        assert.equal(parseAmzDate(formatAmzDate(date.getTime())), seconds);
        assert.equal(parseHttpDate(date.toUTCString()), seconds);
      }),
    );
  });

  test('must exist', () => {
    const wrong = [
      '20260230T000000Z',
      '20261301T000000Z',
      '20260101T240000Z',
      '20260101T006000Z',
      '20260101T000000',
      '',
    ];
    for (const text of wrong) assert.equal(parseAmzDate(text), undefined, text);
    const notHttp = [
      '2026-01-01',
      'Thu, 01 Jan 2026 00:00:00',
      'Thu, 99 Jan 2026 00:00:00 GMT',
      'Thursday, 01-Jan-26 00:00:00 GMT',
    ];
    for (const text of notHttp) assert.equal(parseHttpDate(text), undefined, text);
  });
});

describe('the signature of a POST form', () => {
  const scope = { date: '20260203', region: 'r' };
  const secret = 'secret';
  const policy = Buffer.from('{"expiration":"2026-02-04T00:00:00Z","conditions":[]}').toString('base64');
  const fields = {
    policy,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': 'AKID/20260203/r/s3/aws4_request',
    'x-amz-date': '20260203T120000Z',
    'x-amz-signature': signPolicy(policy, signingKey(secret, scope)),
  };
  const claimOf = (changes: Readonly<Record<string, string>> = {}) =>
    parsePostAuthorization(new Map(Object.entries({ ...fields, ...changes })));

  function fails(work: () => unknown, code: string): void {
    assert.throws(work, (error) => error instanceof HoldfastError && error.details['s3'] === code);
  }

  test('is over the policy as it came', () => {
    const claim = claimOf();
    assert.ok(claim.kind === 'post');
    assert.deepEqual(claim.scope, scope);
    verifyPostSignature(claim, secret);
    fails(() => verifyPostSignature(claim, 'other'), 'SignatureDoesNotMatch');
    fails(() => verifyPostSignature({ ...claim, policy: `${policy}=` }, secret), 'SignatureDoesNotMatch');
    fails(() => verifyPostSignature({ ...claim, policy: '\u{1f600}' }, secret), 'SignatureDoesNotMatch');
  });

  test('needs all of its fields, well formed', () => {
    for (const name of Object.keys(fields)) fails(() => claimOf({ [name]: '' }), 'InvalidArgument');
    fails(() => claimOf({ 'x-amz-algorithm': 'AWS4' }), 'InvalidArgument');
    fails(() => claimOf({ 'x-amz-credential': 'AKID/20260203/r/iam/aws4_request' }), 'InvalidArgument');
    fails(() => claimOf({ 'x-amz-date': '20260204T120000Z' }), 'InvalidArgument');
    fails(() => claimOf({ 'x-amz-signature': 'A'.repeat(64) }), 'InvalidArgument');
  });

  test('is absent from an anonymous form', () => {
    assert.equal(parsePostAuthorization(new Map([['key', 'k']])).kind, 'anonymous');
    fails(() => parsePostAuthorization(new Map([['policy', policy]])), 'InvalidArgument');
  });
});
