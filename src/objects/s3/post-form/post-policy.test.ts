import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { s3CodeOf } from '../../errors.ts';
import { checkPostPolicy } from './check-post-policy.ts';
import { parsePostPolicy } from './post-policy.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === code;
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const expiration = '2030-01-01T12:00:00.000Z';
const nowMs = Date.parse(expiration) - 1;

describe('the policy of a form', () => {
  test('is read with fields in any case', () => {
    const conditions = [
      { bUcKeT: 'photos' },
      ['StArTs-WiTh', '$KeY', 'user/'],
      ['eq', '$acl', 'private'],
      ['content-length-range', 0, '1024'],
    ];
    assert.deepEqual(parsePostPolicy(encode({ expiration, conditions })), {
      expiresAtMs: Date.parse(expiration),
      conditions: [
        { kind: 'eq', field: 'bucket', value: 'photos' },
        { kind: 'starts-with', field: 'key', value: 'user/' },
        { kind: 'eq', field: 'acl', value: 'private' },
        { kind: 'content-length-range', minBytes: 0, maxBytes: 1024 },
      ],
    });
    const wrapped = encode({ expiration, conditions }).replaceAll(/.{60}/g, '$&\r\n');
    assert.equal(parsePostPolicy(wrapped).conditions.length, 4);
  });

  test('is refused when it is not whole or not valid', () => {
    const conditions = [{ bucket: 'photos' }];
    const withOne = (condition: unknown) => ({ expiration, conditions: [condition] });
    const cases: unknown[] = [
      null,
      'x',
      [],
      {},
      { conditions },
      { expiration },
      { EXPIRATION: expiration, conditions },
      { expiration, CONDITIONS: conditions },
      { expiration: '2030-01-01 12:00:00+00:00', conditions },
      { expiration: 1_900_000_000, conditions },
      { expiration, conditions: {} },
      { expiration, conditions, more: 1 },
      withOne({}),
      withOne({ bucket: 1 }),
      withOne('bucket'),
      withOne(null),
      withOne([]),
      withOne(['eq', '$key']),
      withOne(['eq', 'key', 'a']),
      withOne(['eq', '$key', 1]),
      withOne(['ends-with', '$key', 'a']),
      withOne(['eq', '$key', 'a', 'b']),
      withOne(['content-length-range', 5]),
      withOne(['content-length-range', -1, 5]),
      withOne(['content-length-range', 6, 5]),
      withOne(['content-length-range', '0x1', 5]),
      withOne(['content-length-range', null, 5]),
    ];
    for (const value of cases) {
      assert.throws(() => parsePostPolicy(encode(value)), refusedAs('InvalidPolicyDocument'), JSON.stringify(value));
    }
    const doubled = Buffer.from('{"expiration":"2030-01-01T00:00:00Z","conditions":[],"conditions":[]}');
    for (const text of ['', '?', 'a=b', doubled.toString('base64')]) {
      assert.throws(() => parsePostPolicy(text), refusedAs('InvalidPolicyDocument'), text);
    }
  });

  test('of any text is read or refused', () => {
    const refuses = (text: string) => {
      try {
        parsePostPolicy(text);
      } catch (error) {
        assert.ok(refusedAs('InvalidPolicyDocument')(error));
      }
    };
    fc.assert(fc.property(fc.string(), refuses));
    fc.assert(fc.property(fc.array(fc.jsonValue()), (conditions) => refuses(encode({ expiration, conditions }))));
  });
});

describe('a form under a policy', () => {
  const check = (
    conditions: readonly unknown[],
    fields: Record<string, string>,
    { sizeBytes = 10, bucket = 'photos', atMs = nowMs } = {},
  ) =>
    checkPostPolicy(
      parsePostPolicy(encode({ expiration, conditions: [{ bucket: 'photos' }, ...conditions] })),
      { bucket, fields: new Map(Object.entries(fields)), sizeBytes },
      atMs,
    );
  const denied = refusedAs('AccessDenied');

  test('is taken when it keeps every condition', () => {
    const conditions = [
      ['starts-with', '$key', 'user/'],
      { acl: 'private' },
      ['eq', '$X-Amz-Meta-A', ''],
      ['starts-with', '$Content-Type', 'image/'],
      ['starts-with', '$success_action_status', ''],
      ['content-length-range', 10, 10],
    ];
    const fields = { key: 'user/a', acl: 'private', 'x-amz-meta-a': '', 'content-type': 'image/png,image/gif' };
    check(conditions, fields);
    check(conditions, { ...fields, policy: 'p', 'x-amz-signature': 's', 'x-ignore-me': '1' });
  });

  test('is refused when it breaks one, or brings what none is about', () => {
    const any = [['starts-with', '$key', '']];
    assert.throws(() => check([['starts-with', '$key', 'user/']], { key: 'other' }), denied);
    assert.throws(() => check([{ key: 'a' }], { key: 'A' }), denied);
    assert.throws(() => check([...any, { acl: 'private' }], { key: 'a' }), denied);
    assert.throws(() => check([...any, ['eq', '$acl', '']], { key: 'a' }), denied);
    assert.throws(() => check([...any, ['starts-with', '$content-type', 'image/']], { key: 'a' }), denied);
    const types = { key: 'a', 'content-type': 'image/png, text/html' };
    assert.throws(() => check([...any, ['starts-with', '$content-type', 'image/']], types), denied);
    assert.throws(() => check(any, { key: 'a', acl: 'private' }), denied);
    assert.throws(() => check(any, { key: 'a', 'x-amz-credential': 'c' }), denied);
    assert.throws(() => check([], { key: 'a' }), denied);
  });

  test('is refused for another bucket, whatever its own field says, and without one', () => {
    const any = [['starts-with', '$key', '']];
    assert.throws(() => check(any, { key: 'a' }, { bucket: 'other' }), denied);
    assert.throws(() => check(any, { key: 'a', bucket: 'photos' }, { bucket: 'other' }), denied);
    const nowhere = parsePostPolicy(encode({ expiration, conditions: any }));
    const form = { bucket: 'photos', fields: new Map([['key', 'a']]), sizeBytes: 1 };
    assert.throws(() => checkPostPolicy(nowhere, form, nowMs), denied);
  });

  test('is refused when it is too late, too small or too large', () => {
    const any = [
      ['starts-with', '$key', ''],
      ['content-length-range', 10, 20],
    ];
    check(any, { key: 'a' });
    assert.throws(() => check(any, { key: 'a' }, { atMs: nowMs + 1 }), denied);
    assert.throws(() => check(any, { key: 'a' }, { sizeBytes: 9 }), refusedAs('EntityTooSmall'));
    assert.throws(() => check(any, { key: 'a' }, { sizeBytes: 21 }), refusedAs('EntityTooLarge'));
  });
});
