import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from './connection.ts';

describe('where the command line connects to', () => {
  test('is the flag, else the environment, else this machine', () => {
    const env = { HOLDFAST_URL: 'https://there.example', HOLDFAST_PORT: '1234', HOLDFAST_TOKEN: ' hf_there\n' };
    const { client } = connect({ url: 'http://[::1]:99' }, env);
    assert.deepEqual(client.options, { url: 'http://[::1]:99', token: 'hf_there' });
    assert.equal(connect({}, env).client.url, 'https://there.example');
    assert.equal(connect({}, { HOLDFAST_URL: '', HOLDFAST_PORT: '1234' }).client.url, 'http://127.0.0.1:1234');
    assert.deepEqual(connect({}, {}).client.options, { url: 'http://127.0.0.1:8080', token: undefined });
    assert.equal(connect({ token: '' }, { HOLDFAST_TOKEN: '' }).client.options.token, undefined);
  });

  test('is refused when it cannot be one, with both places where it is given', () => {
    for (const url of ['nonsense', 'localhost:8080', 'ftp://x', 'http://x/base', 'http://u:p@x', 'http://x/?a=b']) {
      const refusal = {
        kind: 'invalid',
        message: /is not the address of a server, such as .*--url and HOLDFAST_URL\.$/,
      };
      assert.throws(() => connect({ url }, {}), refusal, url);
    }
  });

  test('is not told a token that cannot be one', () => {
    for (const token of ['two words', 'line\nbreak', 'ü']) {
      assert.throws(() => connect({ token }, {}), { kind: 'invalid', message: /characters that no token has/ });
    }
  });
});
