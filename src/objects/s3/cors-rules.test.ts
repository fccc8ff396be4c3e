import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { CorsRule } from '../bucket.ts';
import { s3CodeOf } from '../errors.ts';
import { matchCors, parseCors, writeCors } from './cors-rules.ts';
import { parseXml } from './xml/reader.ts';
import { writeDocument } from './xml/writer.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === code;
const parse = (rules: string) => parseCors(parseXml(`<CORSConfiguration>${rules}</CORSConfiguration>`));
const rule = (inner: string) => `<CORSRule>${inner}</CORSRule>`;
const plain = '<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
const rules = fc.array(
  fc.record(
    {
      id: fc.stringMatching(/^[a-z0-9]{1,20}$/),
      allowedOrigins: fc.array(fc.constantFrom('*', 'https://a.example', 'https://*.example', '*suffix'), {
        minLength: 1,
        maxLength: 3,
      }),
      allowedMethods: fc.uniqueArray(fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'), { minLength: 1 }),
      allowedHeaders: fc.array(fc.oneof(name, fc.constantFrom('*', 'x-amz-*')), { minLength: 1, maxLength: 3 }),
      exposeHeaders: fc.array(name, { minLength: 1, maxLength: 3 }),
      maxAgeSeconds: fc.nat(86_400),
    },
    { requiredKeys: ['allowedOrigins', 'allowedMethods'], noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 5 },
);

describe('a CORS configuration', () => {
  test('is the same after it was written and read', () => {
    fc.assert(
      fc.property(rules, (some) => {
        assert.deepEqual(parseCors(parseXml(writeDocument(writeCors(some as CorsRule[])))), some);
      }),
    );
  });

  test('is refused when it says what cannot be', () => {
    const cases: Record<string, string> = {
      '': 'MalformedXML',
      [rule('<AllowedOrigin>*</AllowedOrigin>')]: 'MalformedXML',
      [rule('<AllowedMethod>GET</AllowedMethod>')]: 'MalformedXML',
      [rule(`${plain}<AllowedOrigin/>`)]: 'MalformedXML',
      [rule(`${plain}<Other/>`)]: 'MalformedXML',
      [rule(`${plain}<MaxAgeSeconds>soon</MaxAgeSeconds>`)]: 'MalformedXML',
      [rule(`${plain}<MaxAgeSeconds>-1</MaxAgeSeconds>`)]: 'InvalidRequest',
      [rule(`${plain}<AllowedOrigin>http://*.a.*</AllowedOrigin>`)]: 'InvalidRequest',
      [rule(`${plain}<AllowedMethod>PATCH</AllowedMethod>`)]: 'InvalidRequest',
      [rule(`${plain}<AllowedMethod>get</AllowedMethod>`)]: 'InvalidRequest',
      [rule(`${plain}<AllowedHeader>x-*-*</AllowedHeader>`)]: 'InvalidRequest',
      [rule(`${plain}<AllowedHeader>a b</AllowedHeader>`)]: 'InvalidRequest',
      [rule(`${plain}<ExposeHeader>x-*</ExposeHeader>`)]: 'InvalidRequest',
      [rule(`${plain}<ExposeHeader>x&#10;y</ExposeHeader>`)]: 'InvalidRequest',
      [rule(`${plain}<ID>${'i'.repeat(256)}</ID>`)]: 'InvalidRequest',
      [rule(plain).repeat(101)]: 'InvalidRequest',
    };
    for (const [text, code] of Object.entries(cases)) assert.throws(() => parse(text), refusedAs(code), text);
    assert.equal(parse(rule(plain).repeat(100)).length, 100);
  });
});

describe('an origin', () => {
  const get = (origin: string) => ({ allowedOrigins: [origin], allowedMethods: ['GET'] });
  const allowed = (some: readonly CorsRule[], origin: string, method = 'GET', headers: string[] = []) =>
    matchCors(some, origin, method, headers)?.['access-control-allow-origin'] ?? null;

  test('fits patterns with one star', () => {
    assert.equal(allowed([get('*suffix')], 'foo.suffix'), 'foo.suffix');
    assert.equal(allowed([get('*suffix')], 'foo.suffix.get'), null);
    assert.equal(allowed([get('start*end')], 'startend'), 'startend');
    assert.equal(allowed([get('start*end')], 'start12end'), 'start12end');
    assert.equal(allowed([get('start*end')], '0start12end'), null);
    assert.equal(allowed([get('aba*ba')], 'aba'), null);
    assert.equal(allowed([get('prefix*')], 'prefix.suffix'), 'prefix.suffix');
    assert.equal(allowed([get('http://a.example')], 'http://A.example'), null);
  });

  test('is answered as * by a rule for all, and then without credentials', () => {
    const answer = matchCors([get('*')], 'http://a.example', 'GET', []);
    assert.equal(answer?.['access-control-allow-origin'], '*');
    assert.equal(answer['access-control-allow-credentials'], undefined);
    const named = matchCors([get('http://a.*')], 'http://a.example', 'GET', []);
    assert.equal(named?.['access-control-allow-credentials'], 'true');
    assert.match(named.vary ?? '', /Origin/);
  });

  test('gets the first rule that fits in all', () => {
    const some = [
      { ...get('http://a.example'), allowedMethods: ['PUT'], maxAgeSeconds: 1 },
      { ...get('*'), allowedHeaders: ['X-Amz-*'], exposeHeaders: ['etag'], maxAgeSeconds: 2 },
    ];
    const age = (method: string, headers: string[] = []) =>
      matchCors(some, 'http://a.example', method, headers)?.['access-control-max-age'];
    assert.equal(age('PUT'), '1');
    assert.equal(age('GET'), '2');
    assert.equal(age('DELETE'), undefined);
    assert.equal(age('PUT', ['x-amz-meta-a']), undefined);
    assert.equal(age('GET', ['x-amz-meta-a', ' X-AMZ-DATE ']), '2');
    assert.equal(age('GET', ['x-amz-meta-a', 'authorization']), undefined);
    const answer = matchCors(some, 'http://a.example', 'GET', ['X-Amz-Date']);
    assert.equal(answer?.['access-control-allow-headers'], 'x-amz-date');
    assert.equal(answer['access-control-expose-headers'], 'etag');
  });

  test('cannot smuggle a header in, nor ask for endless ones', () => {
    const open = [{ ...get('*'), allowedHeaders: ['*'] }];
    assert.equal(allowed(open, 'a', 'GET', ['x\r\nset-cookie: a']), null);
    assert.equal(
      allowed(
        open,
        'a',
        'GET',
        Array.from({ length: 101 }, () => 'x'),
      ),
      null,
    );
  });
});
