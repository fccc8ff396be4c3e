import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { evaluatePolicy } from './evaluate.ts';
import { parsePolicy } from './parse.ts';
import type { PolicyRequest } from './policy.ts';

const ann = 'arn:aws:iam:::user/ann';
const bob = 'arn:aws:iam:::user/bob';
const photos = (key = '') => `arn:aws:s3:::photos${key}`;

const request: PolicyRequest = {
  principal: { name: 'ann' },
  action: 's3:GetObject',
  resource: { bucket: 'photos', key: 'a/b.jpg' },
  context: { 'aws:sourceip': '192.0.2.1', 'aws:securetransport': 'true' },
};

function ask(statements: readonly Record<string, unknown>[], change: Partial<PolicyRequest> = {}) {
  const whole = statements.map((statement) => ({
    Effect: 'Allow',
    Principal: '*',
    ...('NotAction' in statement ? {} : { Action: 's3:GetObject' }),
    ...('NotResource' in statement ? {} : { Resource: photos('/*') }),
    ...statement,
  }));
  const text = JSON.stringify({ Version: '2012-10-17', Statement: whole });
  return evaluatePolicy(parsePolicy(text, 'photos'), { ...request, ...change });
}

describe('a policy', () => {
  test('allows what a statement allows, and says nothing of the rest', () => {
    assert.equal(ask([{}]), 'allow');
    assert.equal(ask([{}], { principal: null }), 'allow');
    assert.equal(ask([{}], { action: 's3:PutObject' }), 'none');
    assert.equal(ask([{}], { action: 'S3:GETOBJECT' }), 'allow');
    assert.equal(ask([{}], { resource: { bucket: 'photos', key: null } }), 'none');
    assert.equal(ask([{ Action: 's3:ListBucket', Resource: photos() }], { action: 's3:ListBucket' }), 'none');
    const listing = { action: 's3:ListBucket', resource: { bucket: 'photos', key: null } };
    assert.equal(ask([{ Action: 's3:ListBucket', Resource: photos() }], listing), 'allow');
    assert.equal(ask([{ Resource: photos('/a/?.jpg') }]), 'allow');
    assert.equal(ask([{ Resource: photos('/a/?') }]), 'none');
    assert.equal(ask([{ Resource: photos('/A/*') }]), 'none');
  });

  test('knows users, and takes nobody for one of them', () => {
    assert.equal(ask([{ Principal: { AWS: ann } }]), 'allow');
    assert.equal(ask([{ Principal: { AWS: [bob, ann] } }]), 'allow');
    assert.equal(ask([{ Principal: { AWS: bob } }]), 'none');
    assert.equal(ask([{ Principal: { AWS: ann } }], { principal: null }), 'none');
    assert.equal(ask([{ Principal: { AWS: ann } }], { principal: { name: 'Ann' } }), 'none');
  });

  test('denies in spite of everything that allows', () => {
    assert.equal(ask([{}, { Effect: 'Deny', Principal: { AWS: ann } }]), 'deny');
    assert.equal(ask([{ Effect: 'Deny' }, {}]), 'deny');
    assert.equal(ask([{}, { Effect: 'Deny', Principal: { AWS: bob } }]), 'allow');
    assert.equal(ask([{}, { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }]), 'allow');
    assert.equal(ask([{}, { Effect: 'Deny', Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }]), 'deny');
  });

  test('turns NotAction and NotResource round', () => {
    assert.equal(ask([{ NotAction: 's3:Put*' }]), 'allow');
    assert.equal(ask([{ NotAction: ['s3:Put*', 's3:Get*'] }]), 'none');
    assert.equal(ask([{ Effect: 'Deny', NotResource: photos('/open/*') }]), 'deny');
    assert.equal(ask([{ NotResource: [photos('/x'), photos('/a/*')] }]), 'none');
  });

  test('wants all conditions of a statement, and any value of one', () => {
    const both = { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' }, Bool: { 'aws:SecureTransport': 'true' } };
    assert.equal(ask([{ Condition: both }]), 'allow');
    assert.equal(ask([{ Condition: { ...both, Bool: { 'aws:SecureTransport': 'false' } } }]), 'none');
    assert.equal(ask([{ Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.0.2.1'] } } }]), 'allow');
    assert.equal(ask([{ Condition: { StringEquals: { 's3:prefix': '' } } }]), 'none');
  });
});

describe('any policy', () => {
  const pick = <T>(...values: T[]) => fc.subarray(values, { minLength: 1 });
  const statement = fc.record(
    {
      Effect: fc.constantFrom('Allow', 'Deny'),
      Principal: fc.oneof(
        fc.constant('*'),
        pick(ann, bob).map((names) => ({ AWS: names })),
      ),
      Action: pick('s3:GetObject', 's3:Get*', 's3:PutObject', '*'),
      Resource: pick(photos(), photos('/*'), photos('/a/*'), photos('/b')),
      Condition: fc.constantFrom(
        { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
        { NotIpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
        { StringLike: { 's3:prefix': 'a*' } },
        { StringNotEqualsIfExists: { 's3:prefix': 'b' } },
      ),
    },
    { requiredKeys: ['Effect', 'Principal', 'Action', 'Resource'], noNullPrototype: true },
  );
  const statements = fc.array(statement, { minLength: 1, maxLength: 6 });
  const asked: fc.Arbitrary<PolicyRequest> = fc.record({
    principal: fc.constantFrom({ name: 'ann' }, { name: 'bob' }, { name: 'eve' }, null),
    action: fc.constantFrom('s3:GetObject', 's3:PutObject', 's3:ListBucket'),
    resource: fc.record({ bucket: fc.constant('photos'), key: fc.constantFrom(null, 'a/1', 'b', 'c') }),
    context: fc.constantFrom({}, { 'aws:sourceip': '192.0.2.1' }, { 'aws:sourceip': '10.0.0.1', 's3:prefix': 'a' }),
  });
  const decide = (some: readonly Record<string, unknown>[], one: PolicyRequest) =>
    evaluatePolicy(parsePolicy(JSON.stringify({ Statement: some }), 'photos'), one);
  const rank = { deny: 0, none: 1, allow: 2 };

  test('denies when one statement alone denies, else allows when one alone allows', () => {
    fc.assert(
      fc.property(statements, asked, (some, one) => {
        const alone = some.map((each) => decide([each], one));
        const expected = alone.includes('deny') ? 'deny' : alone.includes('allow') ? 'allow' : 'none';
        assert.equal(decide(some, one), expected);
      }),
      { numRuns: 500 },
    );
  });

  test('decides the same in any order of its statements', () => {
    fc.assert(
      fc.property(statements, asked, (some, one) => {
        assert.equal(decide(some.toReversed(), one), decide(some, one));
        assert.equal(decide([...some.slice(1), some[0]!], one), decide(some, one));
      }),
    );
  });

  test('grants nothing by losing an Allow, and takes nothing by losing a Deny', () => {
    fc.assert(
      fc.property(statements, fc.nat(5), asked, (some, at, one) => {
        const rest = some.filter((_, index) => index !== at);
        if (rest.length === 0 || rest.length === some.length) return;
        const [before, after] = [rank[decide(some, one)], rank[decide(rest, one)]];
        assert.ok(some[at]!.Effect === 'Allow' ? after <= before : after >= before);
      }),
    );
  });

  test('treats whom it does not name as it treats nobody', () => {
    fc.assert(
      fc.property(statements, asked, (some, one) => {
        assert.equal(decide(some, { ...one, principal: { name: 'eve' } }), decide(some, { ...one, principal: null }));
      }),
    );
  });
});
