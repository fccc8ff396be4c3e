import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../../errors.ts';
import { hoistedHeader } from '../query-keys.ts';
import { parseAuthorization } from './authorization.ts';
import { unfoldHeaders } from './headers.ts';
import { type PresignerV2, type ToPresign, presignV2 } from './presign-v2.fixture.ts';
import { verifyPresignedV2 } from './presigned-v2.ts';
import { parseQuery } from './query.ts';
import type { PresignedV2Claim, SignedRequest } from './signed-request.ts';
import { encodePath } from './uri.ts';

const nowMs = Date.UTC(2026, 1, 3, 4, 5, 6);
const by: PresignerV2 = { accessKey: 'AKIDEXAMPLE', secret: 'ä secret / + s', expiresSeconds: nowMs / 1000 + 600 };

function verify(request: SignedRequest, secret = by.secret, atMs = nowMs): PresignedV2Claim {
  const claim = parseAuthorization(request, atMs);
  assert.ok(claim.kind === 'presigned-v2', claim.kind);
  // Which secret is asked for is the access key's doing.
  verifyPresignedV2(claim, claim.accessKey === by.accessKey ? secret : `${secret} of another`);
  return claim;
}

/** The code with which a request is refused; `''` when it is not. */
function refusal(request: SignedRequest, secret?: string, atMs?: number): string {
  try {
    verify(request, secret, atMs);
    return '';
  } catch (error) {
    return s3CodeOf(error);
  }
}

const get: ToPresign = { method: 'GET', rawPath: '/box/a%20b' };
const mismatch = 'SignatureDoesNotMatch';

describe('a presigned URL of version 2', () => {
  test("is verified in the example of AWS's documentation", () => {
    const request = {
      method: 'GET',
      rawPath: '/photos/puppy.jpg',
      rawQuery: 'AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620',
      rawHeaders: ['Host', 'johnsmith.s3.amazonaws.com'],
      hostBucket: 'johnsmith',
    };
    const claim = parseAuthorization(request, 1_175_139_620_000) as PresignedV2Claim;
    assert.deepEqual(
      [claim.kind, claim.accessKey, claim.payload, claim.stringsToSign],
      ['presigned-v2', 'AKIAIOSFODNN7EXAMPLE', 'unsigned', ['GET\n\n\n1175139620\n/johnsmith/photos/puppy.jpg']],
    );
    verifyPresignedV2(claim, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');
    assert.throws(() => verifyPresignedV2(claim, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEy'));
    assert.equal(refusal(request, undefined, 1_175_139_620_001), 'AccessDenied');
  });

  test('is good until it expires, however long that is', () => {
    const last = by.expiresSeconds * 1000;
    const request = presignV2(get, by);
    assert.equal(refusal(request, by.secret, last), '');
    assert.equal(refusal(request, by.secret, last + 1), 'AccessDenied');
    assert.equal(refusal(request, by.secret, 0), '');
    assert.equal(refusal(presignV2(get, { ...by, expiresSeconds: 10 ** 12 })), '');
    for (const expires of ['', '-1', '1e12', '0x7fffffff', '1 ', 'tomorrow', '9'.repeat(16)]) {
      const rawQuery = request.rawQuery.replace(/Expires=\d+/, `Expires=${expires}`);
      assert.equal(refusal({ ...request, rawQuery }), 'AccessDenied', expires);
    }
  });

  test('is of the secret behind its access key', () => {
    const request = presignV2(get, by);
    assert.equal(refusal(request), '');
    for (const secret of ['', 'another', `${by.secret} `]) assert.equal(refusal(request, secret), mismatch, secret);
    assert.equal(refusal(presignV2(get, { ...by, accessKey: 'AKIDEXAMPLF' })), mismatch);
    assert.equal(refusal(presignV2(get, { ...by, accessKey: 'a b' })), 'InvalidAccessKeyId');
    assert.throws(
      () => verify(request, 'another'),
      ({ details }) => !JSON.stringify(details).includes(by.secret) && details.string_to_sign.startsWith('GET\n'),
    );
  });

  test('is complete, with nothing twice, and the only signature', () => {
    const { rawQuery, ...request } = presignV2(get, by);
    const parts = rawQuery.split('&');
    for (const part of parts) {
      const rest = parts.filter((one) => one !== part).join('&');
      assert.equal(refusal({ ...request, rawQuery: rest }), 'AccessDenied', rest);
      assert.equal(refusal({ ...request, rawQuery: `${rawQuery}&${part}` }), 'AccessDenied', part);
    }
    for (const authorization of ['AWS AKIDEXAMPLE:c2ln', 'AWS4-HMAC-SHA256 Credential=a', 'Bearer x']) {
      const rawHeaders = [...request.rawHeaders, 'Authorization', authorization];
      assert.equal(refusal({ ...request, rawQuery, rawHeaders }), 'InvalidArgument', authorization);
    }
    const withVersion4 = `${rawQuery}&X-Amz-Signature=${'0'.repeat(64)}`;
    assert.equal(refusal({ ...request, rawQuery: withVersion4 }), 'AuthorizationQueryParametersError');
  });

  test('is for its bucket, in both ways to address it', () => {
    const byHost = presignV2({ method: 'GET', rawPath: '/a/b', hostBucket: 'box' }, by);
    assert.equal(refusal(byHost), '');
    const { hostBucket: _, ...byPath } = byHost;
    assert.equal(refusal({ ...byPath, rawPath: '/box/a/b' }), '');
    assert.equal(refusal(byPath), mismatch);
    assert.equal(refusal({ ...byHost, hostBucket: 'bo' }), mismatch);
    // The SDK for Python signs the path of a bucket with a slash that it does not send.
    const bucket = presignV2({ method: 'GET', rawPath: '/box/' }, by);
    assert.equal(refusal(bucket), '');
    assert.equal(refusal({ ...bucket, rawPath: '/box' }), '');
    assert.equal(refusal({ ...presignV2({ method: 'GET', rawPath: '/box/a/' }, by), rawPath: '/box/a' }), mismatch);
  });

  test('covers what the query asks for, also what AWS never had signed, and not how a listing is paged', () => {
    const { rawQuery, ...request } = presignV2({ ...get, query: [['versionId', 'a+b/ü']] }, by);
    const withQuery = (more: string) => refusal({ ...request, rawQuery: `${rawQuery}${more}` });
    for (const more of ['', '&x-id=GetObject', '&prefix=a%26b&max-keys=2&marker=c&list-type=2', '&&']) {
      assert.equal(withQuery(more), '', more);
    }
    for (const more of [
      '&acl',
      '&retention',
      '&legal-hold',
      '&attributes',
      '&versionId=c',
      '&response-expires=0',
      '&%61cl',
    ]) {
      assert.equal(withQuery(more), mismatch, more);
    }
    assert.equal(refusal({ ...request, rawQuery: rawQuery.replace('%2B', '+') }), mismatch);
  });

  test('covers headers, where they are sent and where the query carries them', () => {
    const headers = { 'content-type': 'a/b', 'content-md5': 'AAAA', 'x-amz-meta-b': 'ü', 'x-amz-acl': 'private' };
    for (const isHoisted of [false, true]) {
      const request = presignV2({ method: 'PUT', rawPath: '/box/k', headers, isHoisted }, by);
      const claim = verify(request);
      assert.equal(claim.headers.get('content-type'), 'a/b');
      assert.equal(claim.headers.get('x-amz-meta-b'), '\u00c3\u00bc');
      const withHeader = (...header: string[]) =>
        refusal({ ...request, rawHeaders: [...request.rawHeaders, ...header] });
      assert.equal(withHeader('User-Agent', 'curl', 'x-amz-date', 'now'), '');
      for (const name of ['content-type', 'Content-MD5', 'x-amz-acl', 'x-amz-meta-c', 'X-Amz-Copy-Source']) {
        assert.equal(withHeader(name, 'other'), mismatch, name);
      }
      assert.equal(refusal({ ...request, rawQuery: `${request.rawQuery}&x-amz-tagging=a%3Db` }), mismatch);
    }
    const split = presignV2(
      { method: 'PUT', rawPath: '/box/k', headers: { 'x-amz-meta-a': 'b\nx-amz-acl:private' } },
      by,
    );
    for (const value of ['b%0Ax-amz-acl:private', '%0A']) {
      const rawQuery = `${split.rawQuery}&x-amz-meta-a=${value}`;
      assert.equal(refusal({ ...split, rawHeaders: ['Host', 'h'], rawQuery }), 'InvalidArgument', value);
    }
  });

  test('may say what its body is, but not that its chunks are signed', () => {
    const put = (sha256: string) =>
      presignV2({ method: 'PUT', rawPath: '/box/k', headers: { 'x-amz-content-sha256': sha256 } }, by);
    const { payload, payloadHash } = verify(put('ab'.repeat(32)));
    assert.deepEqual([payload, payloadHash], ['sha256', 'ab'.repeat(32)]);
    assert.equal(verify(put('STREAMING-UNSIGNED-PAYLOAD-TRAILER')).payload, 'unsigned-chunks-trailer');
    assert.equal(refusal(put('STREAMING-AWS4-HMAC-SHA256-PAYLOAD')), 'AccessDenied');
  });
});

const text = fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.toWellFormed());
const plainText = fc.stringMatching(/^[!-~](?:[ -~]{0,10}[!-~])?$/);
const signedKey = fc.constantFrom('acl', 'partNumber', 'response-content-type', 'tagging', 'uploadId', 'versionId');
const pagingKey = fc.constantFrom('delimiter', 'marker', 'max-keys', 'prefix', 'list-type');

const anyUrl: fc.Arbitrary<ToPresign> = fc.record(
  {
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),
    rawPath: fc.tuple(text, text).map(([bucket, key]) => `/${encodePath(bucket)}/${encodePath(key)}`),
    hostBucket: fc.stringMatching(/^[a-z]{3,8}$/),
    query: fc.array(fc.tuple(fc.oneof(signedKey, pagingKey), text), { maxLength: 4 }),
    headers: fc.dictionary(
      fc.oneof(fc.constantFrom('content-type', 'content-md5'), fc.stringMatching(/^x-amz-meta-[a-z0-9]{1,6}$/)),
      plainText,
      { maxKeys: 4, noNullPrototype: true },
    ),
    isHoisted: fc.boolean(),
  },
  { requiredKeys: ['method', 'rawPath'] },
);

/** What a request asks for, as far as it is signed: what says the same otherwise is the same request. */
function meaning({ method, rawPath, rawQuery, rawHeaders, hostBucket }: SignedRequest): string | null {
  try {
    const headers = new Map(unfoldHeaders(rawHeaders));
    const query = parseQuery(rawQuery);
    for (const [name, value] of query) {
      const header = hoistedHeader(name);
      if (header !== undefined && !headers.has(header)) headers.set(header, Buffer.from(value).toString('latin1'));
    }
    const isSigned = (name: string) => /^(?:x-amz-.*|content-type|content-md5|authorization)$/.test(name);
    const signed = [...headers].filter(
      ([name, value]) => isSigned(name) && !(name.startsWith('content-') && value === ''),
    );
    const asked = query.filter(([name]) => !/^(?:delimiter|marker|max-keys|prefix|list-type)$/.test(name));
    const rest = asked.filter(([name]) => hoistedHeader(name) === undefined);
    rest.sort(([one], [other]) => Number(one > other) - Number(one < other));
    return JSON.stringify([method, (hostBucket ?? '') + rawPath, signed.sort(), rest]);
  } catch {
    return null;
  }
}

/** The request with one bit of one of its strings flipped. */
function flipped(request: SignedRequest, place: number, bit: number): SignedRequest {
  const strings = [request.method, request.rawPath, request.rawQuery, ...request.rawHeaders];
  const filled = strings.map((value, index) => ({ value, index })).filter(({ value }) => value !== '');
  const { value, index } = filled[place % filled.length]!;
  const bytes = Buffer.from(value, 'latin1');
  bytes[(bit >>> 3) % bytes.length]! ^= 1 << (bit & 7);
  strings[index] = bytes.toString('latin1');
  const [method, rawPath, rawQuery, ...rawHeaders] = strings;
  return { ...request, method: method!, rawPath: rawPath!, rawQuery: rawQuery!, rawHeaders };
}

describe('any presigned URL of version 2', () => {
  test('failure 16: is verified over the bytes of the wire', () => {
    fc.assert(
      fc.property(anyUrl, (url) => {
        assert.equal(refusal(presignV2(url, by)), '');
        assert.equal(refusal(presignV2(url, by), 'another'), mismatch);
      }),
      { numRuns: 500 },
    );
  });

  test('failure 16: does not stand for a request that differs in one bit of what is signed', () => {
    fc.assert(
      fc.property(anyUrl, fc.nat(), fc.nat(), (url, place, bit) => {
        const request = presignV2(url, by);
        const other = flipped(request, place, bit);
        fc.pre(meaning(request) !== meaning(other));
        assert.throws(() => verify(other));
      }),
      { numRuns: 2_000 },
    );
  });

  test('failure 16: does not stand for another method, path, parameter, header or time', () => {
    const changes = fc.constantFrom<(request: SignedRequest) => SignedRequest>(
      (request) => ({ ...request, method: request.method === 'PUT' ? 'GET' : 'PUT' }),
      (request) => ({ ...request, rawPath: `${request.rawPath}x` }),
      (request) => ({ ...request, rawPath: `/x${request.rawPath}` }),
      (request) => ({ ...request, hostBucket: `${request.hostBucket ?? ''}x` }),
      (request) => ({ ...request, rawQuery: `${request.rawQuery}&versions=x` }),
      (request) => ({ ...request, rawQuery: `torrent&${request.rawQuery}` }),
      (request) => ({ ...request, rawQuery: `${request.rawQuery}&x-amz-acl=private` }),
      (request) => ({
        ...request,
        rawQuery: request.rawQuery.replace(/(?<=Expires=)\d+/, (time) => `${Number(time) + 1}`),
      }),
      (request) => ({
        ...request,
        rawQuery: request.rawQuery.replace(/(?<=Signature=)./, (one) => (one === 'a' ? 'b' : 'a')),
      }),
      (request) => ({ ...request, rawHeaders: [...request.rawHeaders, 'x-amz-acl', 'private'] }),
      (request) => ({ ...request, rawHeaders: [...request.rawHeaders, 'content-type', 'of another content'] }),
      (request) => ({ ...request, rawHeaders: [...request.rawHeaders, 'content-md5', 'of another content'] }),
    );
    fc.assert(
      fc.property(anyUrl, changes, (url, change) => assert.equal(refusal(change(presignV2(url, by))), mismatch)),
      { numRuns: 1_000 },
    );
  });
});
