import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
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

function etagOf({ headers }: Answer): string {
  assert.match(headers.etag ?? '', /^"[0-9a-f]{32}(?:-\d+)?"$/);
  return headers.etag!;
}

describe('buckets', () => {
  test('are made, told, found, and removed when they are empty', async () => {
    await using at = await openStage();
    const made = await at.ask('PUT', '/my.box');
    assert.deepEqual([made.status, made.headers.location], [200, '/my.box']);
    assert.equal((await at.ask('PUT', '/my.box')).status, 200);
    assert.equal((await at.ask('PUT', '/second')).status, 200);
    const list = parseXml((await at.ask('GET', '/')).text);
    const names = childrenOf(childrenOf(list, 'Buckets')[0]!, 'Bucket').map((bucket) => textIn(bucket, 'Name'));
    assert.deepEqual(names, ['my.box', 'second']);
    const first = parseXml((await at.ask('GET', '/?max-buckets=1')).text);
    const token = textIn(first, 'ContinuationToken')!;
    const rest = await at.ask('GET', `/?max-buckets=1&continuation-token=${token}`);
    assert.match(rest.text, /<Name>second<.*<\/Buckets><\/ListAllMyBucketsResult>/);
    const head = await at.ask('HEAD', '/second');
    assert.deepEqual([head.status, head.headers['x-amz-bucket-region']], [200, 'us-east-1']);
    assert.match((await at.ask('GET', '/second?location')).text, /<LocationConstraint xmlns="[^"]+"\/>$/);
    await at.ask('PUT', '/second/k', { body: 'x' });
    assert.equal(codeOf(await at.ask('DELETE', '/second')), 'BucketNotEmpty');
    await at.ask('DELETE', '/second/k');
    assert.equal((await at.ask('DELETE', '/second')).status, 204);
    assert.equal(codeOf(await at.ask('GET', '/second')), 'NoSuchBucket');
  });

  test('are refused under names that are none, elsewhere, and in malformed documents', async () => {
    await using at = await openStage();
    for (const name of [
      'ab',
      'Box',
      '1.2.3.4',
      'a_b',
      'a..b',
      'a.-b',
      'a-.b',
      '-ab',
      'ab.',
      '.ab',
      'a%2Fb',
      'x'.repeat(64),
    ]) {
      assert.equal(codeOf(await at.ask('PUT', `/${name}`)), 'InvalidBucketName', name);
    }
    const at2 = (region: string) =>
      `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`;
    assert.equal(codeOf(await at.ask('PUT', '/box', { body: at2('eu-west-9') })), 'IllegalLocationConstraintException');
    assert.equal(codeOf(await at.ask('PUT', '/box', { body: '<x' })), 'MalformedXML');
    assert.equal(codeOf(await at.ask('PUT', '/box', { body: '<!DOCTYPE x><x/>' })), 'MalformedXML');
    const acl = await at.ask('PUT', '/box', { headers: { 'x-amz-acl': 'public-read' } });
    assert.equal(codeOf(acl), 'AccessControlListNotSupported');
    assert.equal((await at.ask('PUT', '/box', { body: at2('us-east-1') })).status, 200);
  });

  test('may be named by the host', async () => {
    await using at = await openStage();
    const headers = { host: 'box.s3.test' };
    assert.equal((await at.ask('PUT', '/', { headers })).status, 200);
    assert.equal((await at.ask('PUT', '/a/b', { headers, body: 'x' })).status, 200);
    assert.equal((await at.ask('GET', '/box/a/b')).text, 'x');
    assert.match((await at.ask('GET', '/?list-type=2', { headers })).text, /<Key>a\/b<\/Key>/);
  });

  test('of other users are out of reach, and those of an expected owner are theirs', async () => {
    await using at = await stageWithBucket();
    await at.access.createUser('test', 'other', false);
    const { key, secret } = await at.access.createKey('test', {
      user: 'other',
      label: '',
      bucket: null,
      permissions: null,
    });
    const as = { ...at.owner, accessKey: key.accessKey, secret };
    assert.equal(codeOf(await at.ask('GET', '/box', { as })), 'AccessDenied');
    assert.equal(codeOf(await at.ask('PUT', '/box/k', { as, body: 'x' })), 'AccessDenied');
    assert.doesNotMatch((await at.ask('GET', '/', { as })).text, /box/);
    const wrong = { 'x-amz-expected-bucket-owner': 'somebody' };
    assert.equal(codeOf(await at.ask('PUT', '/box/k', { headers: wrong, body: 'x' })), 'AccessDenied');
  });
});

describe('objects', () => {
  test('come back with all that was said of them', async () => {
    await using at = await stageWithBucket();
    const headers = {
      'content-type': 'text/plain',
      'cache-control': 'no-store',
      'content-disposition': 'inline',
      'content-encoding': 'aws-chunked, x-none',
      'content-language': 'de',
      expires: 'Thu, 01 Dec 2050 16:00:00 GMT',
      'x-amz-meta-colour': 'blue',
      'x-amz-tagging': 'a=1&b=2',
      'x-amz-storage-class': 'STANDARD',
      'x-amz-checksum-sha256': 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=',
    };
    const put = await at.ask('PUT', '/box/k', { body: 'hello', headers });
    assert.equal(put.status, 200, put.text);
    for (const method of ['GET', 'HEAD']) {
      const got = await at.ask(method, '/box/k', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
      assert.equal(got.status, 200);
      assert.equal(got.text, method === 'GET' ? 'hello' : '');
      const {
        'x-amz-tagging': _tags,
        'x-amz-storage-class': _class,
        'content-encoding': _encoding,
        ...plain
      } = headers;
      const expected = { ...plain, 'content-encoding': 'x-none', 'x-amz-tagging-count': '2', etag: put.headers.etag };
      for (const [name, value] of Object.entries(expected)) assert.equal(got.headers[name], value, name);
      assert.equal(got.headers['content-length'], '5');
      assert.equal(got.headers['accept-ranges'], 'bytes');
      assert.equal(got.headers['x-amz-version-id'], undefined);
    }
    const plain = await at.ask('GET', '/box/k');
    assert.equal(plain.headers['x-amz-checksum-sha256'], undefined);
  });

  test('of every size come back as they went, in every form of signed and framed body', async () => {
    await using at = await stageWithBucket();
    for (const size of [0, 1, 4_096, 262_144, 262_145, 1_500_000]) {
      const body = randomBytes(size);
      await at.ask('PUT', '/box/k', { body });
      assert.ok((await at.ask('GET', '/box/k')).body.equals(body), `${size} signed`);
      await at.ask('PUT', '/box/k', { body, payloadHash: 'UNSIGNED-PAYLOAD' });
      assert.ok((await at.ask('GET', '/box/k')).body.equals(body), `${size} unsigned`);
    }
  });

  test('answer ranges, also behind conditions', async () => {
    await using at = await stageWithBucket();
    const put = await at.ask('PUT', '/box/k', { body: '0123456789' });
    await at.ask('PUT', '/box/empty', { body: '' });
    const get = (range: string, more: Readonly<Record<string, string>> = {}, target = '/box/k') =>
      at.ask('GET', target, { headers: { range, ...more } });
    const part = await get('bytes=2-4');
    assert.deepEqual(
      [part.status, part.text, part.headers['content-range'], part.headers['content-length']],
      [206, '234', 'bytes 2-4/10', '3'],
    );
    assert.equal((await get('bytes=-3')).text, '789');
    assert.equal((await get('bytes=-30')).status, 206);
    assert.equal((await get('bytes=5-')).text, '56789');
    for (const range of ['bytes=0-1,3-4', 'bytes=4-2', 'lines=1-2', 'bytes=x']) {
      const whole = await get(range);
      assert.deepEqual([whole.status, whole.text.length], [200, 10], range);
    }
    const beyond = await get('bytes=10-');
    assert.deepEqual(
      [beyond.status, codeOf(beyond), beyond.headers['content-range']],
      [416, 'InvalidRange', 'bytes */10'],
    );
    assert.equal((await get('bytes=0-0', {}, '/box/empty')).status, 416);
    assert.equal((await get('bytes=2-4', { 'if-range': etagOf(put) })).status, 206);
    assert.equal((await get('bytes=2-4', { 'if-range': '"other"' })).text, '0123456789');
    const head = await at.ask('HEAD', '/box/k', { headers: { range: 'bytes=2-4' } });
    assert.deepEqual(
      [head.status, head.headers['content-length'], head.headers['content-range']],
      [206, '3', 'bytes 2-4/10'],
    );
  });

  test('answer conditions, ETags before times', async () => {
    await using at = await stageWithBucket();
    const etag = etagOf(await at.ask('PUT', '/box/k', { body: 'x', headers: { 'cache-control': 'max-age=1' } }));
    const [past, future] = ['Thu, 01 Jan 1998 00:00:00 GMT', 'Thu, 01 Jan 2099 00:00:00 GMT'];
    const cases: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
      [{ 'if-match': etag }, 200],
      [{ 'if-match': `"other", ${etag}` }, 200],
      [{ 'if-match': '*' }, 200],
      [{ 'if-match': '"other"' }, 412],
      [{ 'if-match': etag, 'if-unmodified-since': past }, 200],
      [{ 'if-unmodified-since': past }, 412],
      [{ 'if-unmodified-since': future }, 200],
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `W/${etag}` }, 304],
      [{ 'if-none-match': '"other"' }, 200],
      [{ 'if-none-match': '"other"', 'if-modified-since': future }, 200],
      [{ 'if-modified-since': future }, 304],
      [{ 'if-modified-since': past }, 200],
      [{ 'if-modified-since': 'tomorrow' }, 200],
    ];
    for (const [headers, status] of cases) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await at.ask(method, '/box/k', { headers });
        assert.equal(answer.status, status, `${method} ${JSON.stringify(headers)}`);
        if (status !== 304) continue;
        assert.deepEqual([answer.headers.etag, answer.text, answer.headers['cache-control']], [etag, '', 'max-age=1']);
      }
    }
    const twice = await at.ask('PUT', '/box/k', { body: 'y', headers: { 'if-none-match': '*' } });
    assert.deepEqual([twice.status, codeOf(twice)], [412, 'PreconditionFailed']);
    assert.equal((await at.ask('PUT', '/box/k', { body: 'y', headers: { 'if-match': etag } })).status, 200);
    assert.equal((await at.ask('PUT', '/box/k', { body: 'z', headers: { 'if-match': etag } })).status, 412);
    assert.equal((await at.ask('PUT', '/box/none', { body: 'z', headers: { 'if-match': etag } })).status, 404);
    assert.equal((await at.ask('DELETE', '/box/k', { headers: { 'if-match': etag } })).status, 412);
    assert.equal((await at.ask('GET', '/box/k')).text, 'y');
  });

  test('are removed, also when they are not there', async () => {
    await using at = await stageWithBucket();
    await at.ask('PUT', '/box/k', { body: 'x' });
    for (let round = 0; round < 2; round++) assert.equal((await at.ask('DELETE', '/box/k')).status, 204);
    assert.deepEqual([(await at.ask('GET', '/box/k')).status, (await at.ask('HEAD', '/box/k')).text], [404, '']);
  });

  test('answer to presigned URLs, and tell browsers what the signer wants them told', async () => {
    await using at = await stageWithBucket();
    const put = at.presigned('PUT', '/box/k?x-amz-meta-a=b&x-id=PutObject');
    assert.equal((await at.ask('PUT', put, { as: null, body: 'hello' })).status, 200);
    const get = at.presigned('GET', '/box/k?response-content-type=text%2Fx&response-content-disposition=a%C3%A9');
    const got = await at.ask('GET', get, { as: null });
    assert.deepEqual([got.text, got.headers['content-type'], got.headers['x-amz-meta-a']], ['hello', 'text/x', 'b']);
    assert.equal(got.headers['content-disposition'], '=?UTF-8?B?YcOp?=');
    assert.equal(codeOf(await at.ask('GET', `${get}&partNumber=1`, { as: null })), 'SignatureDoesNotMatch');
    const encrypted = at.presigned('PUT', '/box/k?x-amz-server-side-encryption=AES256');
    assert.equal(codeOf(await at.ask('PUT', encrypted, { as: null, body: 'x' })), 'NotImplemented');
  });

  test('that are public may be read by anybody, but not dressed up', async () => {
    const Statement = [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::box/*' }];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await using at = await stageWithBucket({ policy });
    await at.ask('PUT', '/box/k', { body: 'x' });
    assert.equal((await at.ask('GET', '/box/k', { as: null })).text, 'x');
    assert.equal(
      codeOf(await at.ask('GET', '/box/k?response-content-type=text%2Fhtml', { as: null })),
      'InvalidRequest',
    );
    // Who may not list does not learn what is there.
    assert.equal(codeOf(await at.ask('GET', '/box/none', { as: null })), 'AccessDenied');
    assert.equal((await at.ask('GET', '/box/none')).status, 404);
    assert.equal(codeOf(await at.ask('PUT', '/box/k', { as: null, body: 'y' })), 'AccessDenied');
  });

  test('failure 17: are neither replaced nor removed by a sub-resource that is not there', async () => {
    await using at = await stageWithBucket();
    await at.ask('PUT', '/box/k', { body: 'x' });
    for (const key of ['torrent', 'restore', 'select', 'website', 'versionid', 'foo', 'append', 'renameObject']) {
      for (const method of ['PUT', 'DELETE', 'POST']) {
        const answer = await at.ask(method, `/box/k?${key}`, { body: 'y' });
        assert.deepEqual([answer.status, codeOf(answer)], [501, 'NotImplemented'], `${method} ?${key}`);
      }
    }
    assert.equal((await at.ask('GET', '/box/k')).text, 'x');
  });
});

describe('versions', () => {
  test('are kept, hidden by delete markers, and removed for good', async () => {
    await using at = await stageWithBucket({ versioning: 'enabled' });
    const first = (await at.ask('PUT', '/box/k', { body: '1' })).headers['x-amz-version-id'] as string;
    const second = (await at.ask('PUT', '/box/k', { body: '2' })).headers['x-amz-version-id'] as string;
    assert.ok(first !== second && second !== undefined);
    const removed = await at.ask('DELETE', '/box/k');
    assert.deepEqual([removed.status, removed.headers['x-amz-delete-marker']], [204, 'true']);
    const marker = removed.headers['x-amz-version-id'] as string;
    for (const method of ['GET', 'HEAD']) {
      const hidden = await at.ask(method, '/box/k');
      assert.deepEqual(
        [hidden.status, hidden.headers['x-amz-delete-marker'], hidden.headers['x-amz-version-id']],
        [404, 'true', marker],
      );
      const itself = await at.ask(method, `/box/k?versionId=${marker}`);
      assert.deepEqual(
        [itself.status, itself.headers['x-amz-delete-marker'], itself.headers.allow],
        [405, 'true', 'DELETE'],
      );
      assert.equal((await at.ask(method, '/box/k?versionId=none')).status, 404);
    }
    const old = await at.ask('GET', `/box/k?versionId=${first}`);
    assert.deepEqual([old.text, old.headers['x-amz-version-id']], ['1', first]);
    const list = parseXml((await at.ask('GET', '/box?versions')).text);
    assert.deepEqual(
      list
        .children!.filter(({ name }) => /Version$|Marker$/.test(name) && !/Key|Id/.test(name))
        .map((one) => [one.name, textIn(one, 'VersionId'), textIn(one, 'IsLatest')]),
      [
        ['DeleteMarker', marker, 'true'],
        ['Version', second, 'false'],
        ['Version', first, 'false'],
      ],
    );
    const gone = await at.ask('DELETE', `/box/k?versionId=${marker}`);
    assert.deepEqual(
      [gone.status, gone.headers['x-amz-delete-marker'], gone.headers['x-amz-version-id']],
      [204, 'true', marker],
    );
    assert.equal((await at.ask('GET', '/box/k')).text, '2');
  });

  test('that are locked stay, unless governance may be passed over', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const headers = { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': until };
    const put = await at.ask('PUT', '/box/k', { body: 'x', headers });
    assert.equal(put.status, 200, put.text);
    const version = put.headers['x-amz-version-id'] as string;
    const head = await at.ask('HEAD', '/box/k');
    assert.deepEqual(
      [head.headers['x-amz-object-lock-mode'], head.headers['x-amz-object-lock-retain-until-date']],
      ['GOVERNANCE', until],
    );
    assert.equal(codeOf(await at.ask('DELETE', `/box/k?versionId=${version}`)), 'AccessDenied');
    const bypass = { 'x-amz-bypass-governance-retention': 'true' };
    assert.equal((await at.ask('DELETE', `/box/k?versionId=${version}`, { headers: bypass })).status, 204);
    await at.ask('PUT', '/plain');
    assert.equal(codeOf(await at.ask('PUT', '/plain/k', { body: 'x', headers })), 'InvalidRequest');
  });
});
