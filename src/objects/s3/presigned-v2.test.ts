import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ask, type S3Stage, openStage } from './test-stage.ts';
import { type PresignerV2, type ToPresign, presignV2 } from './signature/presign-v2.fixture.ts';

type Wish = Omit<ToPresign, 'rawPath'> & { readonly path: string; readonly by?: Partial<PresignerV2> };

/** Where a presigned URL of version 2 leads. */
function targetOf(at: S3Stage, { path, by = {}, ...url }: Wish): string {
  const { accessKey, secret } = at.owner;
  const expiresSeconds = Math.floor(Date.now() / 1000) + 60;
  const signed = presignV2({ isHoisted: true, ...url, rawPath: path }, { accessKey, secret, expiresSeconds, ...by });
  return `${signed.rawPath}?${signed.rawQuery}`;
}

function follow(at: S3Stage, wish: Wish, send: Ask = {}) {
  return at.ask(wish.method, targetOf(at, wish), { ...send, as: null });
}

async function outcome(answer: ReturnType<typeof follow>): Promise<string> {
  const { status, text } = await answer;
  return `${status} ${/<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? ''}`.trim();
}

async function openBox(): Promise<S3Stage> {
  const at = await openStage();
  assert.equal((await at.ask('PUT', '/box')).status, 200);
  assert.equal((await at.ask('PUT', '/box/k', { body: 'content' })).status, 200);
  return at;
}

describe('presigned URLs of version 2', () => {
  test('read, list and write, with the headers that they carry', async () => {
    await using at = await openBox();
    const query = [['response-content-type', 'text/x; a=b+c']] as const;
    const read = await follow(at, { method: 'GET', path: '/box/k', query }, { headers: { range: 'bytes=0-2' } });
    assert.deepEqual([read.status, read.text, read.headers['content-type']], [206, 'con', 'text/x; a=b+c']);
    assert.equal((await follow(at, { method: 'HEAD', path: '/box/k' })).headers['content-length'], '7');
    const list = await follow(at, { method: 'GET', path: '/box', query: [['prefix', 'k']] });
    assert.match(list.text, /<Key>k</);
    const headers = { 'content-type': 'a/b', 'x-amz-meta-colour': 'blue  green', 'x-amz-tagging': 'a=b' };
    for (const isHoisted of [true, false]) {
      const wish = { method: 'PUT', path: '/box/a%20b', headers, isHoisted };
      assert.equal((await follow(at, wish, { body: 'new', ...(isHoisted ? {} : { headers }) })).status, 200);
      const got = await at.ask('GET', '/box/a%20b');
      const { 'content-type': type, 'x-amz-meta-colour': colour, 'x-amz-tagging-count': count } = got.headers;
      assert.deepEqual([got.text, type, colour, count], ['new', 'a/b', 'blue  green', '1']);
    }
    const usesBefore = at.keyUses.length;
    const byHost = { method: 'GET', path: '/k', hostBucket: 'box' };
    assert.equal((await follow(at, byHost, { headers: { host: 'box.s3.test' } })).text, 'content');
    assert.equal((await follow(at, { method: 'DELETE', path: '/box/k' })).status, 204);
    assert.deepEqual(at.keyUses.slice(usesBefore), [at.owner.accessKey, at.owner.accessKey]);
  });

  test('check what they say of the body', async () => {
    await using at = await openBox();
    const put = (headers: Readonly<Record<string, string>>, body: string) =>
      outcome(follow(at, { method: 'PUT', path: '/box/k', headers }, { body }));
    const digest = { 'content-md5': 'mgNkuembtIDdJeHwKEyFVQ==' };
    assert.equal(await put(digest, 'content'), '200');
    assert.equal(await put(digest, 'CONTENT'), '400 BadDigest');
    const sha256 = { 'x-amz-content-sha256': 'ab'.repeat(32) };
    assert.equal(await put(sha256, 'content'), '400 XAmzContentSHA256Mismatch');
    assert.equal(await put({ 'x-amz-server-side-encryption': 'AES256' }, 'content'), '501 NotImplemented');
    assert.equal((await at.ask('GET', '/box/k')).text, 'content');
  });

  test('are refused when they were changed, have expired or are of nobody', async () => {
    await using at = await openBox();
    const get = { method: 'GET', path: '/box/k' };
    const target = targetOf(at, get);
    const ask = (method: string, changed: string, headers = {}) =>
      outcome(at.ask(method, changed, { as: null, headers }));
    assert.equal(await ask('GET', target), '200');
    assert.equal(await ask('DELETE', target), '403 SignatureDoesNotMatch');
    for (const [from, to] of [
      ['/k?', '/l?'],
      ['?', '?acl&'],
      ['?', '?retention&'],
      ['?', '?attributes&x-amz-object-attributes=ETag&'],
      ['Signature=', 'Signature=A'],
    ] as const) {
      assert.equal(await ask('GET', target.replace(from, to)), '403 SignatureDoesNotMatch', to);
    }
    assert.equal(await ask('GET', target, { 'x-amz-meta-a': 'b' }), '403 SignatureDoesNotMatch');
    assert.equal(await ask('GET', target.replace(/&Signature=[^&]*/, '')), '403 AccessDenied');
    assert.equal(await outcome(at.ask('GET', target)), '400 InvalidArgument');
    const late = await follow(at, { ...get, by: { expiresSeconds: Math.floor(Date.now() / 1000) - 1 } });
    assert.match(late.text, /<Code>AccessDenied<.*<Message>Request has expired\.<.*<Expires>\d+<.*<ServerTime>/);
    assert.equal(await outcome(follow(at, { ...get, by: { secret: 'another' } })), '403 SignatureDoesNotMatch');
    assert.equal(await outcome(follow(at, { ...get, by: { accessKey: 'NOBODY' } })), '403 InvalidAccessKeyId');
    assert.equal((await at.ask('GET', '/box/k')).text, 'content');
  });

  test('may do what their signer may, and policies can tell them apart', async () => {
    await using at = await openBox();
    await at.access.createUser('test', 'other', false);
    const wish = { user: 'other', label: '', bucket: null, permissions: null };
    const { key, secret } = await at.access.createKey('test', wish);
    const by = { accessKey: key.accessKey, secret };
    assert.equal(await outcome(follow(at, { method: 'GET', path: '/box/k', by })), '403 AccessDenied');
    assert.equal(await outcome(follow(at, { method: 'PUT', path: '/box/k', by }, { body: 'x' })), '403 AccessDenied');
    const policy = {
      Version: '2012-10-17',
      Statement: {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: 'arn:aws:s3:::box/*',
        Condition: { StringEquals: { 's3:signatureversion': 'AWS', 's3:authType': 'REST-QUERY-STRING' } },
      },
    };
    assert.equal((await at.ask('PUT', '/box?policy', { body: JSON.stringify(policy) })).status, 204);
    assert.equal(await outcome(follow(at, { method: 'GET', path: '/box/k' })), '403 AccessDenied');
    assert.equal((await at.ask('GET', at.presigned('GET', '/box/k'), { as: null })).status, 200);
    assert.equal((await at.ask('GET', '/box/k')).status, 200);
  });

  test('are the only form of version 2: its header is refused as on AWS', async () => {
    await using at = await openBox();
    const headers = { date: new Date().toUTCString(), authorization: `AWS ${at.owner.accessKey}:c2lnbmF0dXJl` };
    const { status, text } = await at.ask('GET', '/box/k', { as: null, headers });
    assert.equal(status, 400);
    assert.match(text, /<Code>InvalidRequest<.*not supported\. Please use AWS4-HMAC-SHA256\.</);
  });
});
