import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { readWebdav, validateWebdav } from './settings.ts';

const url = 'https://files.example/dav';

describe('webdav: settings', () => {
  it('are filled in, with a path that is a directory', () => {
    const settings = validateWebdav({ config: { url, username: 'a' }, secrets: { password: 'b' } });
    assert.equal(settings.config['idle_timeout_ms'], '30000');
    const read = readWebdav(settings);
    assert.equal(read.url.href, `${url}/`);
    assert.equal(read.authorization, `Basic ${Buffer.from('a:b').toString('base64')}`);
  });

  it('take a bearer token, or nothing at all', () => {
    assert.equal(readWebdav({ config: { url }, secrets: { bearer_token: 'abc==' } }).authorization, 'Bearer abc==');
    assert.equal(readWebdav({ config: { url }, secrets: {} }).authorization, null);
  });

  const wrong: readonly (readonly [string, Record<string, string>, Record<string, string>])[] = [
    ['url', {}, {}],
    ['url', { url: 'files.example' }, {}],
    ['url', { url: 'ftp://files.example/' }, {}],
    ['url', { url: 'https://a:b@files.example/' }, {}],
    ['url', { url: `${url}?token=secret` }, {}],
    ['password', { url, username: 'a' }, {}],
    ['username', { url }, { password: 'secret' }],
    ['username', { url, username: 'a:b' }, { password: 'secret' }],
    ['password', { url, username: 'a' }, { password: 'secret\r\nx: y' }],
    ['bearer_token', { url }, { bearer_token: 'secret\r\nx: y' }],
    ['bearer_token', { url, username: 'a' }, { bearer_token: 'secret' }],
    ['idle_timeout_ms', { url, idle_timeout_ms: '1.5' }, {}],
    ['connections_max', { url, connections_max: '0' }, {}],
    ['pass', { url, pass: 'secret' }, {}],
    ['token', { url }, { token: 'secret' }],
  ];
  for (const [field, config, secrets] of wrong) {
    it(`are refused by the name of ${field}: ${JSON.stringify({ config, secrets })}`, () => {
      assert.throws(
        () => validateWebdav({ config, secrets }),
        (error) =>
          error instanceof HoldfastError &&
          error.kind === 'invalid' &&
          error.details['field'] === field &&
          !error.message.includes('secret'),
      );
    });
  }
});
