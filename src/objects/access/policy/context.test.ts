import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { conditionKey } from './condition-keys.ts';
import { policyContext } from './context.ts';

const headers: Readonly<Record<string, string>> = {
  referer: 'https://a.example/',
  'user-agent': 'test',
  'x-amz-acl': 'private',
  'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  'x-amz-copy-source': '/a/b',
  'x-amz-metadata-directive': 'COPY',
  'x-amz-object-lock-legal-hold': 'ON',
  'x-amz-object-lock-mode': 'COMPLIANCE',
  'x-amz-object-lock-retain-until-date': '2031-01-01',
  'x-amz-server-side-encryption': 'AES256',
  'x-amz-storage-class': 'STANDARD',
  'x-amz-tagging': 'Dept=a+b',
};
const query = { prefix: 'p', delimiter: '/', 'max-keys': '5', versionId: 'v1' };

describe('the context of a request', () => {
  const whole = policyContext({
    user: { id: 'u1', name: 'ann' },
    header: (name) => headers[name],
    query: new Map(Object.entries(query)),
    address: '192.0.2.1',
    isTls: true,
    authType: 'REST-HEADER',
    nowMs: Date.UTC(2030, 0, 1),
  });

  test('fills every key that a condition may name, and no others', () => {
    for (const key of Object.keys(whole)) assert.equal(conditionKey(key), key);
    assert.equal(whole['s3:requestobjecttag/Dept'], 'a b');
    assert.equal(whole['aws:epochtime'], '1893456000');
    assert.equal(whole['s3:versionid'], 'v1');
    assert.equal(Object.keys(whole).length, 25);
  });

  test('leaves out what the request does not have', () => {
    const bare = policyContext({
      user: null,
      header: () => undefined,
      query: new Map(),
      address: undefined,
      isTls: false,
      authType: null,
      nowMs: 0,
    });
    assert.deepEqual(Object.keys(bare).toSorted(), [
      'aws:currenttime',
      'aws:epochtime',
      'aws:principaltype',
      'aws:securetransport',
    ]);
    assert.equal(bare['aws:principaltype'], 'Anonymous');
  });
});
