import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import type { BucketSettings } from '../bucket.ts';
import { parseXml } from './xml/reader.ts';
import { childrenOf, textIn } from './xml/find.ts';
import { type Answer, type S3Stage, openStage } from './test-stage.ts';

async function stageWithBucket(settings: Partial<BucketSettings> = {}): Promise<S3Stage> {
  const at = await openStage();
  assert.equal((await at.ask('PUT', '/box')).status, 200);
  if (Object.keys(settings).length > 0) {
    await at.world.gateway.buckets.update('box', (before) => ({ ...before, ...settings }), 'test');
  }
  return at;
}

function codeOf({ text }: Answer): string | undefined {
  return textIn(parseXml(text), 'Code');
}

describe('deleting many', () => {
  const document = (keys: readonly string[], more = '') =>
    `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${more}${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`;
  const remove = (at: S3Stage, body: string, headers: Readonly<Record<string, string>> = {}) =>
    at.ask('POST', '/box?delete', { body, headers: { 'x-amz-sdk-checksum-algorithm': 'CRC32', ...headers } });
  const digest = (body: string) => ({ 'content-md5': createHash('md5').update(body).digest('base64') });

  test('tells of each key, and of none when it is to be quiet', async () => {
    await using at = await stageWithBucket();
    for (const key of ['a', 'b', 'c%26']) await at.ask('PUT', `/box/${key}`, { body: 'x' });
    const body = document(['a', ' absent ', 'c&amp;', 'x'.repeat(1025)]);
    const answer = await remove(at, body, digest(body));
    assert.equal(answer.status, 200, answer.text);
    const root = parseXml(answer.text);
    assert.deepEqual(
      childrenOf(root, 'Deleted').map((one) => textIn(one, 'Key')),
      ['a', ' absent ', 'c&'],
    );
    assert.deepEqual(
      childrenOf(root, 'Error').map((one) => textIn(one, 'Code')),
      ['KeyTooLongError'],
    );
    const quiet = document(['b'], '<Quiet>true</Quiet>');
    assert.match((await remove(at, quiet, digest(quiet))).text, /<DeleteResult [^>]*\/>$/);
    assert.match((await at.ask('GET', '/box?list-type=2')).text, /<KeyCount>0</);
  });

  test('is refused without a digest, with a wrong one, and for more than a thousand', async () => {
    await using at = await stageWithBucket();
    const body = document(['a']);
    assert.equal(codeOf(await at.ask('POST', '/box?delete', { body })), 'InvalidRequest');
    assert.equal(codeOf(await remove(at, body, digest('other'))), 'BadDigest');
    const many = document(Array.from({ length: 1001 }, (_, index) => `k${index}`));
    assert.equal(codeOf(await remove(at, many, digest(many))), 'MalformedXML');
    const unknown = '<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>';
    assert.equal(codeOf(await remove(at, unknown, digest(unknown))), 'NotImplemented');
    const huge = document(['a'], ' '.repeat(2_100_000));
    assert.equal(codeOf(await remove(at, huge, digest(huge))), 'MaxMessageLengthExceeded');
  });
});

describe('copies', () => {
  test('take bytes and description along, or a new description', async () => {
    await using at = await stageWithBucket();
    await at.ask('PUT', '/other');
    const said = { 'content-type': 'text/plain', 'x-amz-meta-a': '1', 'x-amz-tagging': 't=1' };
    await at.ask('PUT', '/box/a%20b', { body: 'hello', headers: said });
    const copy = (target: string, headers: Readonly<Record<string, string>>) => at.ask('PUT', target, { headers });
    const plain = await copy('/other/k', { 'x-amz-copy-source': '/box/a%20b' });
    assert.match(plain.text, /<CopyObjectResult [^>]*><LastModified>.*<ETag>&quot;[0-9a-f]{32}&quot;<\/ETag>/);
    const got = await at.ask('GET', '/other/k');
    assert.deepEqual([got.text, got.headers['x-amz-meta-a'], got.headers['x-amz-tagging-count']], ['hello', '1', '1']);
    const replacing = {
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-tagging-directive': 'REPLACE',
      'x-amz-meta-b': '2',
    };
    await copy('/other/k', { 'x-amz-copy-source': 'box/a%20b', ...replacing });
    const replaced = await at.ask('GET', '/other/k');
    assert.deepEqual(
      [replaced.headers['x-amz-meta-a'], replaced.headers['x-amz-meta-b'], replaced.headers['x-amz-tagging-count']],
      [undefined, '2', undefined],
    );
    const itself = { 'x-amz-copy-source': 'box/a%20b' };
    assert.equal(codeOf(await copy('/box/a%20b', itself)), 'InvalidRequest');
    assert.equal((await copy('/box/a%20b', { ...itself, ...replacing })).status, 200);
    assert.equal(codeOf(await copy('/box/x', { 'x-amz-copy-source': 'box/none' })), 'NoSuchKey');
    assert.equal(codeOf(await copy('/box/x', { 'x-amz-copy-source': 'none/k' })), 'NoSuchBucket');
    assert.equal(codeOf(await copy('/box/x', { 'x-amz-copy-source': 'nonsense' })), 'InvalidArgument');
    assert.equal(codeOf(await copy('/box/x', { ...itself, 'x-amz-metadata-directive': 'MIX' })), 'InvalidArgument');
    const unmet = { ...itself, 'x-amz-copy-source-if-match': '"other"' };
    assert.equal(codeOf(await copy('/box/x', unmet)), 'PreconditionFailed');
  });

  test('need the right to read their source', async () => {
    await using at = await stageWithBucket();
    await at.ask('PUT', '/box/secret', { body: 'x' });
    await at.ask('PUT', '/shared');
    await at.access.createUser('test', 'guest', false);
    const { key, secret } = await at.access.createKey('test', {
      user: 'guest',
      label: '',
      bucket: null,
      permissions: null,
    });
    await at.access.setGrant('test', 'guest', 'shared', ['read', 'write', 'list']);
    const as = { ...at.owner, accessKey: key.accessKey, secret };
    assert.equal((await at.ask('PUT', '/shared/mine', { as, body: 'y' })).status, 200);
    const stolen = await at.ask('PUT', '/shared/k', { as, headers: { 'x-amz-copy-source': 'box/secret' } });
    assert.equal(codeOf(stolen), 'AccessDenied');
    const tagged = await at.ask('PUT', '/shared/k', { as, body: 'x', headers: { 'x-amz-tagging': 'a=b' } });
    assert.equal(codeOf(tagged), 'AccessDenied');
  });
});

describe('browsers', () => {
  const cors = [
    {
      allowedOrigins: ['https://app.test'],
      allowedMethods: ['GET', 'PUT'],
      allowedHeaders: ['x-amz-*'],
      exposeHeaders: ['ETag'],
      maxAgeSeconds: 60,
    },
  ];

  test('are told before authentication what they may do', async () => {
    await using at = await stageWithBucket({ cors });
    const ask = (headers: Readonly<Record<string, string>>, target = '/box/k') =>
      at.ask('OPTIONS', target, { as: null, headers });
    const allowed = await ask({
      origin: 'https://app.test',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-amz-date',
    });
    assert.equal(allowed.status, 200);
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.test');
    assert.equal(allowed.headers['access-control-allow-headers'], 'x-amz-date');
    assert.equal(allowed.headers['access-control-max-age'], '60');
    assert.match(allowed.headers.vary ?? '', /Origin/);
    assert.equal(
      codeOf(await ask({ origin: 'https://evil.test', 'access-control-request-method': 'PUT' })),
      'AccessForbidden',
    );
    assert.equal(
      codeOf(await ask({ origin: 'https://app.test', 'access-control-request-method': 'DELETE' })),
      'AccessForbidden',
    );
    assert.equal(codeOf(await ask({ origin: 'https://app.test' })), 'BadRequest');
    assert.equal(
      codeOf(await ask({ origin: 'https://app.test', 'access-control-request-method': 'PUT' }, '/')),
      'AccessForbidden',
    );
  });

  test('see answers and refusals alike', async () => {
    await using at = await stageWithBucket({ cors });
    await at.ask('PUT', '/box/k', { body: 'x' });
    const headers = { origin: 'https://app.test' };
    const seen = await at.ask('GET', '/box/k', { headers });
    assert.deepEqual(
      [seen.headers['access-control-allow-origin'], seen.headers['access-control-expose-headers']],
      ['https://app.test', 'ETag'],
    );
    const refused = await at.ask('GET', '/box/k', { headers, as: null });
    assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [403, 'https://app.test']);
    const other = await at.ask('GET', '/box/k', { headers: { origin: 'https://evil.test' } });
    assert.deepEqual([other.status, other.headers['access-control-allow-origin']], [200, undefined]);
  });
});
