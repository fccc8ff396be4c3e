import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { s3CodeOf } from '../../errors.ts';
import { parsePolicy, policyBytesMax } from './parse.ts';

const isMalformed = (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === 'MalformedPolicy';

const statement = {
  Sid: 'one',
  Effect: 'Allow',
  Principal: '*',
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::photos/*',
};
const document = { Version: '2012-10-17', Id: 'mine', Statement: [statement] };
const parse = (value: unknown) => parsePolicy(JSON.stringify(value), 'photos');
const parseOne = (change: Record<string, unknown>) =>
  parse({ Version: '2012-10-17', Statement: { ...statement, ...change } }).statements[0];

describe('a policy', () => {
  test('is read with all its elements', () => {
    const policy = parse({
      ...document,
      Statement: [{ ...statement, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }],
    });
    assert.equal(policy.version, '2012-10-17');
    assert.equal(policy.id, 'mine');
    const [only] = policy.statements;
    assert.equal(only?.sid, 'one');
    assert.equal(only.effect, 'Allow');
    assert.equal(only.principals, 'everyone');
    assert.deepEqual(only.actions, { isNot: false, patterns: ['s3:getobject'] });
    assert.deepEqual(only.resources, { isNot: false, patterns: ['photos/*'] });
    assert.equal(only.conditions[0]?.key, 'aws:securetransport');
  });

  test('may have one statement without a list, and no version', () => {
    assert.equal(parse({ Statement: statement }).version, '2008-10-17');
    assert.equal(parse({ Statement: statement }).statements.length, 1);
  });

  test('names principals in every form', () => {
    const principals = (value: unknown) => parseOne({ Principal: value })?.principals;
    assert.equal(principals('*'), 'everyone');
    assert.equal(principals({ AWS: '*' }), 'everyone');
    assert.deepEqual(principals({ AWS: 'arn:aws:iam:::user/ann' }), ['ann']);
    assert.deepEqual(principals({ AWS: ['arn:aws:iam:::user/ann', 'arn:aws:iam:::user/a.b@c'] }), ['ann', 'a.b@c']);
    assert.equal(principals({ AWS: ['arn:aws:iam:::user/ann', '*'] }), 'everyone');
  });

  test('names actions and resources with wildcards, and their opposites', () => {
    const { Action: _action, Resource: _resource, ...rest } = statement;
    const other = { ...rest, NotAction: ['s3:Get*', 's3:*Bucket?cl'], NotResource: 'arn:aws:s3:::photos' };
    const [read] = parse({ Statement: other }).statements;
    assert.deepEqual(read?.actions, { isNot: true, patterns: ['s3:get*', 's3:*bucket?cl'] });
    assert.deepEqual(read.resources, { isNot: true, patterns: ['photos'] });
    for (const action of ['*', 's3:*', 'S3:PUTOBJECT']) assert.ok(parseOne({ Action: action }));
    for (const bucket of ['photos', 'photos*', 'ph?tos/x', '*', '*/*', 'photos/']) {
      assert.ok(parseOne({ Resource: `arn:aws:s3:::${bucket}` }), bucket);
    }
  });

  test('is refused when any part of it is unknown, missing, doubled or not supported', () => {
    const without = (name: keyof typeof statement) => {
      const { [name]: _gone, ...rest } = statement;
      return { Statement: rest };
    };
    const withOne = (change: Record<string, unknown>) => ({
      Version: '2012-10-17',
      Statement: { ...statement, ...change },
    });
    const cases: unknown[] = [
      null,
      [],
      'x',
      {},
      { Statement: [] },
      { Statement: null },
      { Statement: ['x'] },
      { ...document, Version: '2020-01-01' },
      { ...document, Id: 1 },
      { ...document, Extra: 1 },
      { ...document, Statement: [statement, statement] },
      without('Effect'),
      without('Principal'),
      without('Action'),
      without('Resource'),
      withOne({ Sid: 1 }),
      withOne({ Effect: 'allow' }),
      withOne({ NotPrincipal: '*' }),
      withOne({ Principal: 'ann' }),
      withOne({ Principal: {} }),
      withOne({ Principal: { AWS: [] } }),
      withOne({ Principal: { AWS: 'ann' } }),
      withOne({ Principal: { AWS: 'arn:aws:iam:::user/*' } }),
      withOne({ Principal: { AWS: 'arn:aws:iam::123456789012:root' } }),
      withOne({ Principal: { CanonicalUser: 'x' } }),
      withOne({ Principal: { AWS: '*', Service: 'x' } }),
      withOne({ NotAction: 's3:GetObject' }),
      withOne({ Action: [] }),
      withOne({ Action: 1 }),
      withOne({ Action: 's3:GetObjct' }),
      withOne({ Action: 's3:Fly*' }),
      withOne({ Action: 'ec2:*' }),
      withOne({ NotResource: 'arn:aws:s3:::photos/*' }),
      withOne({ Resource: [] }),
      withOne({ Resource: '*' }),
      withOne({ Resource: 'photos/*' }),
      withOne({ Resource: 'arn:aws:s3:::' }),
      withOne({ Resource: 'arn:aws:s3:::other/*' }),
      withOne({ Resource: 'arn:aws:s3:::photosx' }),
      withOne({ Resource: ['arn:aws:s3:::photos/*', 'arn:aws:s3:::other/*'] }),
      withOne({ Resource: 'arn:aws:s3:::photos/${aws:username}/*' }),
      withOne({ Condition: { StringFits: { 's3:prefix': 'a' } } }),
      withOne({ Extra: 1 }),
    ];
    for (const value of cases) assert.throws(() => parse(value), isMalformed, JSON.stringify(value));
  });

  test('is refused as text that is no JSON, too long or read in two ways', () => {
    for (const text of ['', '{', '\ufeff{}', JSON.stringify(document).replace('"Allow"', '"Deny","Effect":"Allow"')]) {
      assert.throws(() => parsePolicy(text, 'photos'), isMalformed, text);
    }
    const text = JSON.stringify(document);
    assert.ok(parsePolicy(text.padEnd(policyBytesMax), 'photos'));
    assert.throws(() => parsePolicy(text.padEnd(policyBytesMax + 1), 'photos'), isMalformed);
    assert.throws(() => parsePolicy('['.repeat(policyBytesMax), 'photos'), isMalformed);
  });

  test('of any text is a policy or malformed', () => {
    const refuses = (text: string) => {
      try {
        parsePolicy(text, 'photos');
      } catch (error) {
        assert.ok(isMalformed(error));
      }
    };
    fc.assert(fc.property(fc.string(), refuses));
    fc.assert(fc.property(fc.json(), refuses));
    const names = fc.constantFrom(
      'Version',
      'Statement',
      'Sid',
      'Effect',
      'Principal',
      'Action',
      'Resource',
      'Condition',
      '__proto__',
    );
    const leaf = fc.constantFrom('*', 'Allow', 's3:*', 'arn:aws:s3:::photos', '2012-10-17', 1, null, true);
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(names, tie('node')),
      ),
    }));
    fc.assert(fc.property(node, (value) => refuses(JSON.stringify(value))));
    fc.assert(
      fc.property(fc.dictionary(names, node), (value) =>
        refuses(JSON.stringify({ Statement: { ...statement, ...value } })),
      ),
    );
  });
});
