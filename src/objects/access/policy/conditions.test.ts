import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { s3CodeOf } from '../../errors.ts';
import { parseConditions } from './conditions.ts';

const isMalformed = (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === 'MalformedPolicy';

function holds(operator: string, key: string, values: unknown, actual: string | undefined): boolean {
  const [condition] = parseConditions({ [operator]: { [key]: values } });
  assert.ok(condition !== undefined);
  return condition.holds(actual);
}

describe('a condition', () => {
  test('compares as its operator says', () => {
    const cases: [string, string, unknown, string, boolean][] = [
      ['StringEquals', 's3:prefix', ['a', 'b'], 'b', true],
      ['StringEquals', 's3:prefix', 'a', 'A', false],
      ['StringEquals', 's3:prefix', '*', 'a', false],
      ['StringNotEquals', 's3:prefix', ['a', 'b'], 'b', false],
      ['StringNotEquals', 's3:prefix', ['a', 'b'], 'c', true],
      ['StringEqualsIgnoreCase', 's3:prefix', 'a', 'A', true],
      ['StringNotEqualsIgnoreCase', 's3:prefix', 'a', 'A', false],
      ['StringLike', 's3:prefix', 'home/*', 'home/ann', true],
      ['StringNotLike', 's3:prefix', 'home/*', 'home/ann', false],
      ['IpAddress', 'aws:SourceIp', '192.0.2.0/24', '192.0.2.9', true],
      ['IpAddress', 'aws:SourceIp', ['192.0.2.0/24', '2001:db8::/32'], '2001:db8::1', true],
      ['IpAddress', 'aws:SourceIp', '192.0.2.0/24', '192.0.3.9', false],
      ['NotIpAddress', 'aws:SourceIp', '192.0.2.0/24', '192.0.2.9', false],
      ['NotIpAddress', 'aws:SourceIp', '192.0.2.0/24', '192.0.3.9', true],
      ['Bool', 'aws:SecureTransport', false, 'false', true],
      ['Bool', 'aws:SecureTransport', 'true', 'false', false],
      ['NumericEquals', 's3:max-keys', 10, '10', true],
      ['NumericNotEquals', 's3:max-keys', '10', '10', false],
      ['NumericLessThan', 's3:max-keys', '10', '9', true],
      ['NumericLessThan', 's3:max-keys', '10', '10', false],
      ['NumericLessThanEquals', 's3:max-keys', '10', '10', true],
      ['NumericGreaterThan', 's3:max-keys', '10', '100', true],
      ['NumericGreaterThanEquals', 's3:max-keys', '10', '9', false],
      ['NumericLessThan', 's3:max-keys', '10', 'many', false],
      ['NumericNotEquals', 's3:max-keys', '10', 'many', true],
      ['DateLessThan', 'aws:CurrentTime', '2030-01-01T00:00:00Z', '2029-12-31T23:59:59Z', true],
      ['DateGreaterThan', 'aws:CurrentTime', '2030-01-01', '2029-12-31T23:59:59Z', false],
      ['DateEquals', 'aws:EpochTime', '2030-01-01T00:00:00Z', '1893456000', true],
      ['DateLessThanEquals', 'aws:CurrentTime', 1893456000, '2030-01-01T00:00:00Z', true],
      ['Null', 's3:prefix', 'true', 'a', false],
      ['Null', 's3:prefix', false, 'a', true],
    ];
    for (const [operator, key, values, actual, expected] of cases) {
      assert.equal(holds(operator, key, values, actual), expected, `${operator} ${JSON.stringify(values)} ${actual}`);
    }
  });

  test('on an absent key holds only when it is negated, optional or about absence', () => {
    const cases: [string, boolean][] = [
      ['StringEquals', false],
      ['StringNotEquals', true],
      ['StringLike', false],
      ['StringNotLike', true],
      ['StringEqualsIfExists', true],
      ['StringNotEqualsIfExists', true],
      ['ForAnyValue:StringEquals', false],
      ['ForAnyValue:StringNotEquals', false],
      ['ForAllValues:StringEquals', true],
      ['ForAllValues:StringNotLike', true],
      ['ForAnyValue:StringEqualsIfExists', true],
    ];
    for (const [operator, expected] of cases) assert.equal(holds(operator, 's3:prefix', 'a', undefined), expected);
    assert.equal(holds('NotIpAddress', 'aws:SourceIp', '192.0.2.0/24', undefined), true);
    assert.equal(holds('NumericLessThan', 's3:max-keys', '1', undefined), false);
    assert.equal(holds('Null', 's3:prefix', 'true', undefined), true);
    assert.equal(holds('Null', 's3:prefix', 'false', undefined), false);
  });

  test('on a value is the same with a quantifier or IfExists', () => {
    for (const operator of ['StringEquals', 'StringNotEquals', 'StringLike']) {
      for (const actual of ['a', 'b']) {
        const plain = holds(operator, 's3:prefix', ['a', 'c'], actual);
        for (const name of [`${operator}IfExists`, `ForAnyValue:${operator}`, `ForAllValues:${operator}`]) {
          assert.equal(holds(name, 's3:prefix', ['a', 'c'], actual), plain, name);
        }
      }
    }
  });

  test('names keys without regard to case, but for the keys of tags', () => {
    const keys = parseConditions({
      StringEquals: { 'AWS:username': 'a', 's3:Prefix': 'b', 's3:requestObjectTag/Dept': 'c' },
    }).map(({ key }) => key);
    assert.deepEqual(keys, ['aws:username', 's3:prefix', 's3:requestobjecttag/Dept']);
  });

  test('is refused when its operator, key or value is not understood', () => {
    const cases: unknown[] = [
      [],
      'x',
      null,
      { StringEquals: 'a' },
      { StringEquals: { 's3:prefix': [] } },
      { StringEquals: { 's3:prefix': null } },
      { StringEquals: { 's3:prefix': [{}] } },
      { StringEquals: { 's3:unknown': 'a' } },
      { StringEquals: { 's3:RequestObjectTag/': 'a' } },
      { StringEquals: { constructor: 'a' } },
      { stringequals: { 's3:prefix': 'a' } },
      { StringMatches: { 's3:prefix': 'a' } },
      { 'ForSomeValues:StringEquals': { 's3:prefix': 'a' } },
      { NullIfExists: { 's3:prefix': 'true' } },
      { Null: { 's3:prefix': 'yes' } },
      { constructor: { 's3:prefix': 'a' } },
      { IpAddress: { 'aws:SourceIp': '192.0.2.0/40' } },
      { IpAddress: { 'aws:SourceIp': '*' } },
      { Bool: { 'aws:SecureTransport': 'yes' } },
      { NumericLessThan: { 's3:max-keys': 'ten' } },
      { NumericLessThan: { 's3:max-keys': '1e3' } },
      { DateLessThan: { 'aws:CurrentTime': 'tomorrow' } },
    ];
    for (const value of cases) assert.throws(() => parseConditions(value), isMalformed, JSON.stringify(value));
    assert.deepEqual(parseConditions(undefined), []);
    assert.deepEqual(parseConditions({}), []);
  });
});
