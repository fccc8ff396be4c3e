import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Answer, type S3Stage, openStage } from '../test-stage.ts';

const dayMs = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * dayMs).toISOString();
const retention = (mode: string, until: string) =>
  `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
const configuration = (rule = '') =>
  `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`;
const code = ({ status, text }: Answer) => `${status} ${/<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? ''}`.trim();

async function makeBucket(at: S3Stage, name: string, isLocked = true): Promise<void> {
  const headers: Record<string, string> = isLocked ? { 'x-amz-bucket-object-lock-enabled': 'true' } : {};
  assert.equal(code(await at.ask('PUT', `/${name}`, { headers })), '200');
}

describe('object lock of a bucket', () => {
  test('is told with its rule, and keeps versioning on', async () => {
    await using at = await openStage();
    await makeBucket(at, 'safe');
    const versioning = (status: string) =>
      at.ask('PUT', '/safe?versioning', {
        body: `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`,
      });
    assert.equal(code(await versioning('Suspended')), '409 InvalidBucketState');
    assert.equal(code(await versioning('Enabled')), '200');
    assert.doesNotMatch((await at.ask('GET', '/safe?object-lock')).text, /<Rule>/);
    const rule = '<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>3</Days></DefaultRetention></Rule>';
    assert.equal(code(await at.ask('PUT', '/safe?object-lock', { body: configuration(rule) })), '200');
    assert.ok((await at.ask('GET', '/safe?object-lock')).text.includes(rule));
    await at.ask('PUT', '/safe/a', { body: 'x' });
    const given = (await at.ask('GET', '/safe/a?retention')).text;
    assert.match(given, /COMPLIANCE/);
    const untilMs = Date.parse(/<RetainUntilDate>(.*)<\/RetainUntilDate>/.exec(given)?.[1] ?? '');
    assert.ok(Math.abs(untilMs - Date.now() - 3 * dayMs) < 60_000);
  });

  test('comes to a bucket that was made without only when it keeps versions', async () => {
    await using at = await openStage();
    await makeBucket(at, 'plain', false);
    assert.equal(code(await at.ask('GET', '/plain?object-lock')), '404 ObjectLockConfigurationNotFoundError');
    const enable = async () => code(await at.ask('PUT', '/plain?object-lock', { body: configuration() }));
    assert.equal(await enable(), '409 InvalidBucketState');
    const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
    await at.ask('PUT', '/plain?versioning', { body });
    assert.equal(await enable(), '200');
    assert.equal(code(await at.ask('GET', '/plain?object-lock')), '200');
  });

  test('is what locks of objects need', async () => {
    await using at = await openStage();
    await makeBucket(at, 'plain', false);
    await at.ask('PUT', '/plain/a', { body: 'x' });
    const asked = [
      at.ask('GET', '/plain/a?retention'),
      at.ask('PUT', '/plain/a?retention', { body: retention('GOVERNANCE', inDays(1)) }),
      at.ask('GET', '/plain/a?legal-hold'),
      at.ask('PUT', '/plain/a?legal-hold', { body: '<LegalHold><Status>ON</Status></LegalHold>' }),
      at.ask('PUT', '/plain/b', { body: 'x', headers: { 'x-amz-object-lock-legal-hold': 'ON' } }),
    ];
    for (const answer of await Promise.all(asked)) assert.equal(code(answer), '400 InvalidRequest');
  });
});

describe('the retention of an object', () => {
  async function stage() {
    const at = await openStage();
    await makeBucket(at, 'safe');
    await at.ask('PUT', '/safe/a', { body: 'x' });
    const put = async (mode: string, until: string, headers: Record<string, string> = {}) =>
      code(await at.ask('PUT', '/safe/a?retention', { body: retention(mode, until), headers }));
    const until = async () =>
      /<RetainUntilDate>(.*)<\/RetainUntilDate>/.exec((await at.ask('GET', '/safe/a?retention')).text)?.[1];
    return { at, put, until, [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() };
  }
  const bypass = { 'x-amz-bypass-governance-retention': 'true' };

  test('is set, told, and only grows', async () => {
    await using face = await stage();
    const { at, put, until } = face;
    assert.equal(code(await at.ask('GET', '/safe/a?retention')), '404 NoSuchObjectLockConfiguration');
    const [day, twoDays, threeDays] = [inDays(1), inDays(2), inDays(3)];
    assert.equal(await put('GOVERNANCE', twoDays), '200');
    assert.equal(await until(), twoDays);
    assert.equal(await put('GOVERNANCE', day), '403 AccessDenied');
    assert.equal(await put('COMPLIANCE', twoDays), '403 AccessDenied');
    assert.equal(await put('GOVERNANCE', threeDays), '200');
    assert.equal(await until(), threeDays);
    assert.equal(await put('GOVERNANCE', day, bypass), '200');
    assert.equal(await put('COMPLIANCE', twoDays, bypass), '200');
    assert.equal(await put('COMPLIANCE', day, bypass), '403 AccessDenied');
    assert.equal(await put('GOVERNANCE', threeDays, bypass), '403 AccessDenied');
    assert.equal(await until(), twoDays);
    assert.equal(await put('COMPLIANCE', threeDays), '200');
    assert.equal(await put('COMPLIANCE', inDays(-1)), '400 InvalidArgument');
    assert.equal(await put('compliance', threeDays), '400 MalformedXML');
    const clear = await at.ask('PUT', '/safe/a?retention', { body: '<Retention/>', headers: bypass });
    assert.equal(code(clear), '403 AccessDenied');
  });

  test('ends by an empty document, for who may bypass it', async () => {
    await using face = await stage();
    const { at, put } = face;
    assert.equal(await put('GOVERNANCE', inDays(2)), '200');
    const clear = async (headers: Record<string, string>) =>
      code(await at.ask('PUT', '/safe/a?retention', { body: '<Retention/>', headers }));
    assert.equal(await clear({}), '403 AccessDenied');
    assert.equal(await clear(bypass), '200');
    assert.equal(code(await at.ask('GET', '/safe/a?retention')), '404 NoSuchObjectLockConfiguration');
  });

  test('is bypassed only with the permission to do so', async () => {
    await using face = await stage();
    const { at, put } = face;
    assert.equal(await put('GOVERNANCE', inDays(2)), '200');
    const permissions = ['read', 'write', 'delete', 'list', 'tags'] as const;
    await at.access.createUser('test', 'ann', false);
    const { key, secret } = await at.access.createKey('test', { user: 'ann', label: '', bucket: 'safe', permissions });
    const as = { accessKey: key.accessKey, secret, region: at.owner.region };
    const body = retention('GOVERNANCE', inDays(1));
    const asAnn = (headers: Record<string, string>) => at.ask('PUT', '/safe/a?retention', { body, headers, as });
    assert.equal(code(await asAnn(bypass)), '403 AccessDenied');
    assert.equal(code(await asAnn({})), '403 AccessDenied');
  });
});

describe('the legal hold of an object', () => {
  test('is set, told and lifted', async () => {
    await using at = await openStage();
    await makeBucket(at, 'safe');
    await at.ask('PUT', '/safe/a', { body: 'x' });
    const told = async () => /<Status>(.*)<\/Status>/.exec((await at.ask('GET', '/safe/a?legal-hold')).text)?.[1];
    assert.equal(await told(), 'OFF');
    for (const status of ['ON', 'OFF']) {
      const body = `<LegalHold><Status>${status}</Status></LegalHold>`;
      assert.equal(code(await at.ask('PUT', '/safe/a?legal-hold', { body })), '200');
      assert.equal(await told(), status);
    }
    const wrong = '<LegalHold><Status>abc</Status></LegalHold>';
    assert.equal(code(await at.ask('PUT', '/safe/a?legal-hold', { body: wrong })), '400 MalformedXML');
  });
});
