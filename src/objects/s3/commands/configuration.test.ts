import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type BucketLifecycleConfiguration,
  type CORSRule,
  DeleteBucketCorsCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteBucketPolicyCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectTaggingCommand,
  DeletePublicAccessBlockCommand,
  GetBucketAccelerateConfigurationCommand,
  GetBucketAclCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetBucketRequestPaymentCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  GetPublicAccessBlockCommand,
  PutBucketAclCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { type S3Stage, openStage } from '../test-stage.ts';

const Bucket = 'photos';
const Key = 'a/b.jpg';

/** The endpoint with one bucket, one object, and the client of AWS. */
async function openFace() {
  const stage = await openStage();
  const { owner, url } = stage;
  const client = new S3Client({
    endpoint: url.href,
    region: owner.region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: owner.accessKey, secretAccessKey: owner.secret },
  });
  assert.equal((await stage.ask('PUT', `/${Bucket}`)).status, 200);
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'hello' }));
  return {
    stage,
    client,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await stage[Symbol.asyncDispose]();
    },
  };
}

async function refused(work: Promise<unknown>, code: string, status: number): Promise<void> {
  await assert.rejects(work, (error: { name?: string; $metadata?: { httpStatusCode?: number } }) => {
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [code, status]);
    return true;
  });
}

const versionOf = async (stage: S3Stage) =>
  (await stage.world.gateway.objects.stat({ bucket: Bucket, key: Key })).versionId;

describe('tags', () => {
  test('of an object are set, told and taken away', async () => {
    await using face = await openFace();
    const { client } = face;
    const tags = async () => (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
    assert.deepEqual(await tags(), []);
    const TagSet = [
      { Key: 'Dept', Value: 'a b/c' },
      { Key: 'none', Value: '' },
    ];
    await client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }));
    assert.deepEqual(await tags(), TagSet);
    await client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
    assert.deepEqual(await tags(), []);
    await refused(client.send(new GetObjectTaggingCommand({ Bucket, Key: 'none' })), 'NoSuchKey', 404);
    const eleven = Array.from({ length: 11 }, (_, index) => ({ Key: `k${index}`, Value: '' }));
    const many = new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet: eleven } });
    await refused(client.send(many), 'InvalidTag', 400);
  });

  test('of an object leave its content alone (failure 17: PUT ?tagging replaced the body, DELETE ?tagging deleted it)', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    await client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging }));
    await client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
    assert.equal((await stage.ask('GET', `/${Bucket}/${Key}`)).text, 'hello');
  });

  test('of a version stay with it', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    const { VersionId } = await client.send(new PutObjectCommand({ Bucket, Key, Body: 'two', Tagging: 'v=2' }));
    const old = new PutObjectTaggingCommand({
      Bucket,
      Key,
      VersionId: 'null',
      Tagging: { TagSet: [{ Key: 'v', Value: '1' }] },
    });
    assert.equal((await client.send(old)).VersionId, 'null');
    const now = await client.send(new GetObjectTaggingCommand({ Bucket, Key }));
    assert.deepEqual([now.VersionId, now.TagSet], [VersionId, [{ Key: 'v', Value: '2' }]]);
    assert.equal((await stage.ask('DELETE', `/${Bucket}/${Key}`)).status, 204);
    await refused(client.send(new GetObjectTaggingCommand({ Bucket, Key })), 'NoSuchKey', 404);
    const marker = new GetObjectTaggingCommand({ Bucket, Key, VersionId: await versionOf(stage) });
    await refused(client.send(marker), 'MethodNotAllowed', 405);
  });

  test('of a bucket are set, told and taken away', async () => {
    await using face = await openFace();
    const { client } = face;
    const get = () => client.send(new GetBucketTaggingCommand({ Bucket }));
    const put = (TagSet: { Key: string; Value: string }[]) =>
      client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    await refused(get(), 'NoSuchTagSet', 404);
    const TagSet = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));
    await put(TagSet);
    assert.deepEqual((await get()).TagSet, TagSet);
    await put([]);
    await refused(get(), 'NoSuchTagSet', 404);
    await put([{ Key: 'a', Value: 'b' }]);
    await client.send(new DeleteBucketTaggingCommand({ Bucket }));
    await refused(get(), 'NoSuchTagSet', 404);
  });
});

describe('versioning', () => {
  test('is off, enabled or suspended', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const status = async () => (await client.send(new GetBucketVersioningCommand({ Bucket }))).Status;
    assert.equal(await status(), undefined);
    for (const Status of ['Enabled', 'Suspended', 'Enabled'] as const) {
      await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
      assert.equal(await status(), Status);
    }
    const put = (inner: string) =>
      stage.ask('PUT', `/${Bucket}?versioning`, {
        body: `<VersioningConfiguration>${inner}</VersioningConfiguration>`,
      });
    assert.match((await put('')).text, /IllegalVersioningConfigurationException/);
    assert.match((await put('<Status>On</Status>')).text, /MalformedXML/);
    assert.equal((await put('<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>')).status, 501);
    assert.equal(await status(), 'Enabled');
  });
});

describe('CORS rules', () => {
  test('are set, told, followed and taken away', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const get = () => client.send(new GetBucketCorsCommand({ Bucket }));
    const ask = (method: string) =>
      stage.ask('OPTIONS', `/${Bucket}/${Key}`, {
        as: null,
        headers: { origin: 'https://a.example', 'access-control-request-method': method },
      });
    await refused(get(), 'NoSuchCORSConfiguration', 404);
    assert.equal((await ask('PUT')).status, 403);
    const CORSRules: CORSRule[] = [
      { ID: 'one', AllowedMethods: ['PUT', 'GET'], AllowedOrigins: ['https://*.example'], MaxAgeSeconds: 5 },
    ];
    await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    assert.deepEqual((await get()).CORSRules, CORSRules);
    const { status, headers } = await ask('PUT');
    assert.deepEqual([status, headers['access-control-allow-origin']], [200, 'https://a.example']);
    assert.equal((await ask('DELETE')).status, 403);
    await client.send(new DeleteBucketCorsCommand({ Bucket }));
    await refused(get(), 'NoSuchCORSConfiguration', 404);
  });
});

describe('a bucket policy', () => {
  const policy = (change: object = {}) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${Bucket}/*`, ...change },
      ],
    });

  test('is set, told as it came, followed and taken away', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const get = () => client.send(new GetBucketPolicyCommand({ Bucket }));
    const isPublic = async () =>
      (await client.send(new GetBucketPolicyStatusCommand({ Bucket }))).PolicyStatus?.IsPublic;
    const read = async () => (await stage.ask('GET', `/${Bucket}/${Key}`, { as: null })).status;
    await refused(get(), 'NoSuchBucketPolicy', 404);
    assert.deepEqual([await isPublic(), await read()], [false, 403]);
    const Policy = policy();
    await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    assert.equal((await get()).Policy, Policy);
    assert.deepEqual([await isPublic(), await read()], [true, 200]);
    await client.send(new DeleteBucketPolicyCommand({ Bucket }));
    await refused(get(), 'NoSuchBucketPolicy', 404);
    assert.equal(await read(), 403);
  });

  test('is refused when it is malformed, and the one before stays', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const put = (Policy: string) => client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    await put(policy());
    await refused(put(policy({ Action: 's3:Fly' })), 'MalformedPolicy', 400);
    await refused(put(policy({ Condition: { StringEquals: { 's3:unknown': 'a' } } })), 'MalformedPolicy', 400);
    await refused(put('{}'), 'MalformedPolicy', 400);
    const long = await stage.ask('PUT', `/${Bucket}?policy`, { body: policy().padEnd(20_481) });
    assert.equal(long.status, 400);
    assert.equal((await client.send(new GetBucketPolicyCommand({ Bucket }))).Policy, policy());
  });

  test('is refused when it is public and that is blocked', async () => {
    await using face = await openFace();
    const { client, stage } = face;
    const get = () => client.send(new GetPublicAccessBlockCommand({ Bucket }));
    const put = (Policy: string) => client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    await refused(get(), 'NoSuchPublicAccessBlockConfiguration', 404);
    await put(policy());
    const all = { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true };
    const block = (one: typeof all) =>
      client.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: one }));
    await block(all);
    assert.deepEqual((await get()).PublicAccessBlockConfiguration, all);
    assert.equal((await stage.ask('GET', `/${Bucket}/${Key}`, { as: null })).status, 403);
    await refused(put(policy()), 'AccessDenied', 403);
    await put(policy({ Principal: { AWS: 'arn:aws:iam:::user/ann' } }));
    await refused(block({ ...all, BlockPublicAcls: false }), 'InvalidRequest', 400);
    await client.send(new DeletePublicAccessBlockCommand({ Bucket }));
    await refused(get(), 'NoSuchPublicAccessBlockConfiguration', 404);
    await put(policy());
  });
});

describe('a lifecycle configuration', () => {
  test('is set, told with IDs and taken away', async () => {
    await using face = await openFace();
    const { client } = face;
    const get = () => client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    const put = (LifecycleConfiguration: BucketLifecycleConfiguration) =>
      client.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }));
    await refused(get(), 'NoSuchLifecycleConfiguration', 404);
    const rule = { Status: 'Enabled' as const, Filter: { Prefix: 'old/' }, Expiration: { Days: 3 } };
    await put({ Rules: [{ ...rule, ID: 'one' }, rule] });
    const { Rules = [] } = await get();
    assert.deepEqual(Rules[0], { ...rule, ID: 'one' });
    assert.match(Rules[1]?.ID ?? '', /^[\da-f-]{36}$/);
    const transition = { ...rule, Transitions: [{ Days: 1, StorageClass: 'GLACIER' as const }] };
    await refused(put({ Rules: [transition] }), 'InvalidStorageClass', 400);
    assert.equal((await get()).Rules?.length, 2);
    await client.send(new DeleteBucketLifecycleCommand({ Bucket }));
    await refused(get(), 'NoSuchLifecycleConfiguration', 404);
  });
});

describe('what is the same for every bucket', () => {
  test('is told: the owner has full control, and nobody else anything', async () => {
    await using face = await openFace();
    const { client } = face;
    const bucket = await client.send(new GetBucketAclCommand({ Bucket }));
    const object = await client.send(new GetObjectAclCommand({ Bucket, Key }));
    const ID = bucket.Owner?.ID;
    assert.ok(ID);
    assert.deepEqual(
      bucket.Grants?.map(({ Permission, Grantee }) => [Permission, Grantee?.Type, Grantee?.ID]),
      [['FULL_CONTROL', 'CanonicalUser', ID]],
    );
    assert.deepEqual([object.Grants, object.Owner], [bucket.Grants, bucket.Owner]);
    await refused(client.send(new GetObjectAclCommand({ Bucket, Key: 'none' })), 'NoSuchKey', 404);
    const AccessControlPolicy = { Owner: bucket.Owner, Grants: bucket.Grants };
    await client.send(new PutBucketAclCommand({ Bucket, ACL: 'private' }));
    await client.send(new PutObjectAclCommand({ Bucket, Key, ACL: 'bucket-owner-full-control' }));
    await client.send(new PutBucketAclCommand({ Bucket, AccessControlPolicy }));
    const everyone = { Type: 'Group' as const, URI: 'http://acs.amazonaws.com/groups/global/AllUsers' };
    const open = { ...AccessControlPolicy, Grants: [{ Permission: 'READ' as const, Grantee: everyone }] };
    const wrong = [
      new PutBucketAclCommand({ Bucket, ACL: 'public-read' }),
      new PutBucketAclCommand({ Bucket, GrantRead: 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' }),
      new PutBucketAclCommand({ Bucket, AccessControlPolicy: open }),
    ];
    for (const command of wrong) await refused(client.send(command), 'AccessControlListNotSupported', 400);
    const object2 = new PutObjectAclCommand({ Bucket, Key, ACL: 'public-read' });
    await refused(client.send(object2), 'AccessControlListNotSupported', 400);
  });

  test('is told: ownership, payment, acceleration and encryption', async () => {
    await using face = await openFace();
    const { client } = face;
    const ownership = (ObjectOwnership: 'BucketOwnerEnforced' | 'ObjectWriter') =>
      client.send(
        new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls: { Rules: [{ ObjectOwnership }] } }),
      );
    const { OwnershipControls } = await client.send(new GetBucketOwnershipControlsCommand({ Bucket }));
    assert.deepEqual(OwnershipControls?.Rules, [{ ObjectOwnership: 'BucketOwnerEnforced' }]);
    await ownership('BucketOwnerEnforced');
    await refused(ownership('ObjectWriter'), 'AccessControlListNotSupported', 400);
    await client.send(new DeleteBucketOwnershipControlsCommand({ Bucket }));
    assert.equal((await client.send(new GetBucketRequestPaymentCommand({ Bucket }))).Payer, 'BucketOwner');
    const accelerate = await client.send(new GetBucketAccelerateConfigurationCommand({ Bucket }));
    assert.equal(accelerate.Status, undefined);
    const encryption = client.send(new GetBucketEncryptionCommand({ Bucket }));
    await refused(encryption, 'ServerSideEncryptionConfigurationNotFoundError', 404);
  });
});
