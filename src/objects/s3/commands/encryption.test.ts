import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { testRootKeys } from '../../../../test/objects/test-keys.ts';
import { type S3Stage, openStage } from '../test-stage.ts';

type Headers = Readonly<Record<string, string>>;
const content = 'what nobody shall read '.repeat(10);
const codeOf = ({ status, text }: { status: number; text: string }) =>
  `${status} ${/<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? ''}`.trim();

async function openBox(): Promise<S3Stage> {
  const at = await openStage({}, undefined, testRootKeys('first', 'second'));
  await at.ask('PUT', '/box');
  return at;
}

function customer(key: Buffer, prefix = 'x-amz-'): Headers {
  const name = `${prefix}server-side-encryption-customer`;
  return {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: key.toString('base64'),
    [`${name}-key-md5`]: hash('md5', key, 'base64'),
  };
}

/** Whether any blob of the backend can be read by whoever holds the backend. */
function standsInClear(at: S3Stage, text = content): boolean {
  return [...at.backend.blobs.values()].some(({ bytes }) => bytes.includes(text.slice(0, 22)));
}

const aes: Headers = { 'x-amz-server-side-encryption': 'AES256' };
const kms = (id: string): Headers => ({
  'x-amz-server-side-encryption': 'aws:kms',
  'x-amz-server-side-encryption-aws-kms-key-id': id,
});

describe('encryption that a request asks for', () => {
  test('is done, and told when the object is written, looked at and read', async () => {
    await using at = await openBox();
    for (const [headers, told] of [
      [aes, ['AES256', undefined]],
      [kms('second'), ['aws:kms', 'second']],
      [{ 'x-amz-server-side-encryption': 'aws:kms' }, ['aws:kms', 'first']],
    ] as const) {
      const answers = [
        await at.ask('PUT', '/box/k', { headers, body: content }),
        await at.ask('HEAD', '/box/k'),
        await at.ask('GET', '/box/k'),
      ];
      for (const { status, headers: answered } of answers) {
        assert.equal(status, 200);
        const id = answered['x-amz-server-side-encryption-aws-kms-key-id'];
        assert.deepEqual([answered['x-amz-server-side-encryption'], id], told);
      }
      assert.equal(answers[2]!.text, content);
      assert.equal((await at.ask('GET', '/box/k', { headers: { range: 'bytes=5-9' } })).text, content.slice(5, 10));
      assert.ok(!standsInClear(at));
    }
    const plain = await at.ask('PUT', '/box/plain', { body: content });
    assert.equal(plain.headers['x-amz-server-side-encryption'], undefined);
    assert.ok(standsInClear(at));
  });

  test('is refused where it cannot be done, before a byte is written', async () => {
    await using at = await openBox();
    const refused: readonly (readonly [Headers, string])[] = [
      [kms('third'), '400 KMS.NotFoundException'],
      [{ 'x-amz-server-side-encryption': 'rot13' }, '400 InvalidArgument'],
      [{ 'x-amz-server-side-encryption-aws-kms-key-id': 'first' }, '400 InvalidArgument'],
      [{ ...aes, 'x-amz-server-side-encryption-context': 'e30=' }, '501 NotImplemented'],
      [{ ...aes, ...customer(randomBytes(32)) }, '400 InvalidArgument'],
      [
        { ...customer(randomBytes(32)), 'x-amz-server-side-encryption-customer-algorithm': 'DES' },
        '400 InvalidEncryptionAlgorithmError',
      ],
      [{ ...customer(randomBytes(31)) }, '400 InvalidArgument'],
      [{ ...customer(randomBytes(32)), 'x-amz-server-side-encryption-customer-key-md5': 'x' }, '400 InvalidArgument'],
      [{ 'x-amz-server-side-encryption-customer-algorithm': 'AES256' }, '400 InvalidArgument'],
    ];
    for (const [headers, code] of refused) {
      assert.equal(codeOf(await at.ask('PUT', '/box/k', { headers, body: content })), code, JSON.stringify(headers));
      assert.equal(codeOf(await at.ask('POST', '/box/k?uploads', { headers })), code);
    }
    assert.equal(codeOf(await at.ask('GET', '/box/k')), '404 NoSuchKey');
  });

  test('needs root keys, and is never passed over without them', async () => {
    await using at = await openStage();
    await at.ask('PUT', '/box');
    assert.equal(codeOf(await at.ask('PUT', '/box/k', { headers: aes, body: 'x' })), '501 NotImplemented');
    const body = bucketXml('AES256');
    assert.equal(codeOf(await at.ask('PUT', '/box?encryption', { body })), '501 NotImplemented');
    const headers = customer(randomBytes(32));
    assert.equal((await at.ask('PUT', '/box/c', { headers, body: content })).status, 200, 'a customer brings the key');
    assert.ok(!standsInClear(at));
  });
});

describe('a key of a customer', () => {
  const key = randomBytes(32);

  test('is needed for every look, and another one or none is refused', async () => {
    await using at = await openBox();
    const put = await at.ask('PUT', '/box/k', { headers: customer(key), body: content });
    assert.equal(put.headers['x-amz-server-side-encryption-customer-algorithm'], 'AES256');
    assert.equal(put.headers['x-amz-server-side-encryption-customer-key-md5'], hash('md5', key, 'base64'));
    const got = await at.ask('GET', '/box/k', { headers: { ...customer(key), range: 'bytes=1-3' } });
    assert.deepEqual([got.status, got.text], [206, content.slice(1, 4)]);
    assert.equal(got.headers['x-amz-server-side-encryption'], undefined);
    assert.equal((await at.ask('HEAD', '/box/k', { headers: customer(key) })).status, 200);
    for (const method of ['GET', 'HEAD']) {
      assert.equal((await at.ask(method, '/box/k')).status, 400);
      assert.equal((await at.ask(method, '/box/k', { headers: customer(randomBytes(32)) })).status, 403);
    }
    assert.equal(codeOf(await at.ask('GET', '/box/k')), '400 InvalidRequest');
    assert.equal(codeOf(await at.ask('GET', '/box/k', { headers: customer(randomBytes(32)) })), '403 AccessDenied');
    await at.ask('PUT', '/box/plain', { body: 'x' });
    assert.equal(codeOf(await at.ask('GET', '/box/plain', { headers: customer(key) })), '400 InvalidRequest');
  });

  test('is kept nowhere: not in the ledger, not in its events and not on a backend', async () => {
    await using at = await openBox();
    await at.ask('PUT', '/box/k', { headers: customer(key), body: content });
    const secrets = [key.toString('base64'), key.toString('hex'), hash('md5', key, 'base64')];
    const { store } = at.world;
    for (const table of ['objects', 'copies', 'events', 'encryption_keys']) {
      const rows = JSON.stringify(await store.read((reader) => reader.rows(`select * from ${table}`, [])));
      for (const secret of secrets) assert.ok(!rows.includes(secret), table);
    }
    for (const { bytes } of at.backend.blobs.values()) {
      for (const secret of secrets) assert.ok(!bytes.includes(secret));
      assert.ok(!bytes.includes(key));
    }
  });

  test('goes with each part of an upload, and with the copy of one', async () => {
    await using at = await openBox();
    const begun = await at.ask('POST', '/box/k?uploads', { headers: customer(key) });
    const uploadId = /<UploadId>(.*?)<\/UploadId>/.exec(begun.text)![1]!;
    const target = `/box/k?partNumber=1&uploadId=${uploadId}`;
    assert.equal(codeOf(await at.ask('PUT', target, { body: content })), '400 InvalidRequest');
    assert.equal(
      codeOf(await at.ask('PUT', target, { body: content, headers: customer(randomBytes(32)) })),
      '403 AccessDenied',
    );
    assert.equal(codeOf(await at.ask('PUT', target, { body: content, headers: aes })), '400 InvalidArgument');
    const part = await at.ask('PUT', target, { body: content, headers: customer(key) });
    assert.equal(part.status, 200);
    const list = `<Part><PartNumber>1</PartNumber><ETag>${part.headers.etag}</ETag></Part>`;
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    assert.equal((await at.ask('POST', `/box/k?uploadId=${uploadId}`, { body })).status, 200);
    assert.equal((await at.ask('GET', '/box/k', { headers: customer(key) })).text, content);

    const source = { 'x-amz-copy-source': '/box/k' };
    const asked = { ...source, ...customer(key, 'x-amz-copy-source-') };
    assert.match((await at.ask('PUT', '/box/copy', { headers: source })).text, /InvalidRequest/);
    const other = randomBytes(32);
    await at.ask('PUT', '/box/copy', { headers: { ...asked, ...customer(other) } });
    assert.equal((await at.ask('GET', '/box/copy', { headers: customer(other) })).text, content);
    assert.ok(!standsInClear(at));
    await at.ask('PUT', '/box/clear', { headers: asked });
    assert.equal((await at.ask('GET', '/box/clear')).text, content);
  });
});

function bucketXml(algorithm: string, keyId?: string): string {
  const id = keyId === undefined ? '' : `<KMSMasterKeyID>${keyId}</KMSMasterKeyID>`;
  const wish = `<ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm>${id}</ApplyServerSideEncryptionByDefault>`;
  return `<ServerSideEncryptionConfiguration><Rule>${wish}</Rule></ServerSideEncryptionConfiguration>`;
}

describe('the encryption of a bucket', () => {
  test('holds for what is written without a wish, until it is taken away', async () => {
    await using at = await openBox();
    assert.equal((await at.ask('PUT', '/box?encryption', { body: bucketXml('aws:kms', 'second') })).status, 200);
    const told = await at.ask('GET', '/box?encryption');
    assert.match(told.text, /<SSEAlgorithm>aws:kms<\/SSEAlgorithm><KMSMasterKeyID>second<\/KMSMasterKeyID>/);
    const put = await at.ask('PUT', '/box/k', { body: content });
    assert.equal(put.headers['x-amz-server-side-encryption-aws-kms-key-id'], 'second');
    const wished = await at.ask('PUT', '/box/other', { headers: aes, body: content });
    assert.equal(wished.headers['x-amz-server-side-encryption'], 'AES256');
    assert.ok(!standsInClear(at));
    assert.equal((await at.ask('DELETE', '/box?encryption')).status, 204);
    assert.equal(codeOf(await at.ask('GET', '/box?encryption')), '404 ServerSideEncryptionConfigurationNotFoundError');
    await at.ask('PUT', '/box/k', { body: content });
    assert.ok(standsInClear(at));
  });

  test('is refused when it cannot be done or is not understood', async () => {
    await using at = await openBox();
    for (const [body, code] of [
      [bucketXml('aws:kms', 'third'), '400 KMS.NotFoundException'],
      [bucketXml('AES256', 'first'), '400 MalformedXML'],
      [bucketXml('aws:kms:dsse'), '400 MalformedXML'],
      ['<ServerSideEncryptionConfiguration/>', '400 MalformedXML'],
    ] as const) {
      assert.equal(codeOf(await at.ask('PUT', '/box?encryption', { body })), code);
    }
  });

  test('is that of a copy too, which shares bytes only where they stand as they are wished', async () => {
    await using at = await openBox();
    await at.ask('PUT', '/box/plain', { body: content });
    await at.ask('PUT', '/safe');
    await at.ask('PUT', '/safe?encryption', { body: bucketXml('AES256') });
    const blobs = () => [...at.backend.blobs.keys()].filter((key) => !key.startsWith('.holdfast/')).length;
    const copied = await at.ask('PUT', '/safe/a', { headers: { 'x-amz-copy-source': '/box/plain' } });
    assert.equal(copied.status, 200);
    assert.equal((await at.ask('HEAD', '/safe/a')).headers['x-amz-server-side-encryption'], 'AES256');
    assert.equal(blobs(), 2);
    await at.ask('PUT', '/safe/b', { headers: { 'x-amz-copy-source': '/safe/a' } });
    assert.equal(blobs(), 2, 'the same encryption: no byte moves');
    await at.ask('PUT', '/box/c', { headers: { 'x-amz-copy-source': '/safe/a' } });
    assert.equal(blobs(), 3, 'a bucket without encryption gets plain bytes');
    for (const path of ['/safe/a', '/safe/b', '/box/c']) assert.equal((await at.ask('GET', path)).text, content);
    const itself = { 'x-amz-copy-source': '/box/plain', ...aes };
    assert.equal((await at.ask('PUT', '/box/plain', { headers: itself })).status, 200);
    assert.equal((await at.ask('HEAD', '/box/plain')).headers['x-amz-server-side-encryption'], 'AES256');
  });
});
