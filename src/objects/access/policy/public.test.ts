import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePolicy } from './parse.ts';
import { isPublicPolicy } from './public.ts';

const isPublic = (...statements: Record<string, unknown>[]) => {
  const whole = statements.map((statement) => ({
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::photos/*',
    ...statement,
  }));
  return isPublicPolicy(parsePolicy(JSON.stringify({ Statement: whole }), 'photos'));
};
const when = (operator: string, key: string, ...values: string[]) => ({ Condition: { [operator]: { [key]: values } } });

describe('a policy is public', () => {
  test('when it allows everyone something', () => {
    assert.equal(isPublic({}), true);
    assert.equal(isPublic({ Principal: { AWS: ['arn:aws:iam:::user/ann', '*'] } }), true);
    assert.equal(isPublic({ Effect: 'Deny' }, {}), true);
  });

  test('when its conditions pin it to nobody', () => {
    assert.equal(isPublic(when('Bool', 'aws:SecureTransport', 'true')), true);
    assert.equal(isPublic(when('StringLike', 'aws:Referer', 'https://a.example/*')), true);
    assert.equal(isPublic(when('StringLike', 'aws:username', '*')), true);
    assert.equal(isPublic(when('StringNotEquals', 'aws:username', 'ann')), true);
    assert.equal(isPublic(when('StringEqualsIfExists', 'aws:username', 'ann')), true);
    assert.equal(isPublic(when('ForAllValues:StringEquals', 'aws:username', 'ann')), true);
    assert.equal(isPublic(when('IpAddress', 'aws:SourceIp', '192.0.2.0/24', '0.0.0.0/0')), true);
    assert.equal(isPublic(when('IpAddress', 'aws:SourceIp', '::/16')), true);
    assert.equal(isPublic(when('IpAddressIfExists', 'aws:SourceIp', '192.0.2.0/24')), true);
    assert.equal(isPublic(when('NotIpAddress', 'aws:SourceIp', '192.0.2.0/24')), true);
  });
});

describe('a policy is not public', () => {
  test('when it denies, names users or is pinned to users and networks', () => {
    assert.equal(isPublic({ Effect: 'Deny' }), false);
    assert.equal(isPublic({ Principal: { AWS: 'arn:aws:iam:::user/ann' } }), false);
    assert.equal(isPublic(when('StringEquals', 'aws:username', 'ann', 'bob')), false);
    assert.equal(isPublic(when('StringLike', 'aws:userid', 'u1')), false);
    assert.equal(isPublic(when('IpAddress', 'aws:SourceIp', '192.0.2.0/24', '2001:db8::/32')), false);
  });
});
