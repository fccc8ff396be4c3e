import assert from 'node:assert/strict';
import {
  DeleteBucketCorsCommand,
  DeleteBucketEncryptionCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketOwnershipControlsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketAccelerateConfigurationCommand,
  GetBucketAclCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketRequestPaymentCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  PutBucketAclCommand,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, refusal } from '../case.ts';

const origin = 'https://page.example';
const corsRule = {
  ID: 'pages',
  AllowedOrigins: ['https://*.example'],
  AllowedMethods: ['GET', 'PUT'],
  AllowedHeaders: ['x-amz-*', 'content-type'],
  ExposeHeaders: ['ETag'],
  MaxAgeSeconds: 600,
};

const aes256 = { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }] };

export const configurationCases: readonly Case[] = [
  acceptanceCase('a bucket is encrypted: what is written from then on says so and is read as it was', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const none = 'ServerSideEncryptionConfigurationNotFoundError';
    await refusal(s3.send(new GetBucketEncryptionCommand({ Bucket })), none, 404);
    await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: aes256 }));
    await world.settled(Bucket);
    const kept = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    assert.equal(
      kept.ServerSideEncryptionConfiguration!.Rules![0]!.ApplyServerSideEncryptionByDefault!.SSEAlgorithm,
      'AES256',
    );
    const Body = Buffer.alloc(200_000, 'sealed ');
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body }));
    assert.equal(put.ServerSideEncryption, 'AES256');
    const whole = await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }));
    assert.ok(Body.equals(await whole.Body!.transformToByteArray()));
    const part = await s3.send(new GetObjectCommand({ Bucket, Key: 'k', Range: 'bytes=65530-131080' }));
    assert.ok(Body.subarray(65_530, 131_081).equals(await part.Body!.transformToByteArray()));
    await s3.send(new DeleteBucketEncryptionCommand({ Bucket }));
    await world.settled(Bucket);
    assert.equal((await s3.send(new PutObjectCommand({ Bucket, Key: 'k2', Body }))).ServerSideEncryption, undefined);
  }),
  acceptanceCase('a bucket tells nobody until it is told whom, and nobody who is not there', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const { $metadata: _, ...nobody } = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
    assert.deepEqual(nobody, {});
    await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} }));
    const topic = { TopicArn: 'arn:aws:sns:us-east-1:holdfast:nobody', Events: ['s3:ObjectCreated:*' as const] };
    const wish = { Bucket, NotificationConfiguration: { TopicConfigurations: [topic] } };
    await refusal(s3.send(new PutBucketNotificationConfigurationCommand(wish)), 'InvalidArgument', 400);
  }),
  acceptanceCase('CORS rules are kept, given back and removed', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    await refusal(s3.send(new GetBucketCorsCommand({ Bucket })), 'NoSuchCORSConfiguration', 404);
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [corsRule] } }));
    await world.settled(Bucket);
    assert.deepEqual((await s3.send(new GetBucketCorsCommand({ Bucket }))).CORSRules, [corsRule]);
    const bad = { ...corsRule, AllowedMethods: ['PATCH'] };
    await refusal(
      s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [bad] } })),
      'InvalidRequest',
      400,
    );
    await s3.send(new DeleteBucketCorsCommand({ Bucket }));
    await world.settled(Bucket);
    await refusal(s3.send(new GetBucketCorsCommand({ Bucket })), 'NoSuchCORSConfiguration', 404);
  }),
  acceptanceCase('trap 32: a preflight is answered before authentication, by the bucket’s rules', async (world) => {
    const Bucket = await world.bucket();
    const preflight = (headers: Record<string, string>) =>
      world.send({ method: 'OPTIONS', target: `/${Bucket}/k`, as: null, headers });
    const asked = {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-amz-date,Content-Type',
    };
    assert.deepEqual((await preflight(asked)).code, 'AccessForbidden');
    await world.s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [corsRule] } }));
    await world.settled(Bucket);
    const { status, headers } = await preflight(asked);
    assert.equal(status, 200);
    assert.deepEqual(
      [
        headers['access-control-allow-origin'],
        headers['access-control-allow-methods'],
        headers['access-control-max-age'],
      ],
      [origin, 'GET, PUT', '600'],
    );
    assert.match(String(headers['access-control-allow-headers']), /x-amz-date.*content-type/i);
    assert.match(String(headers['vary']), /origin/i);
    for (const refused of [
      { ...asked, origin: 'https://page.example.evil' },
      { ...asked, 'access-control-request-method': 'DELETE' },
      { ...asked, 'access-control-request-headers': 'x-other' },
    ]) {
      assert.equal((await preflight(refused)).status, 403);
    }
    assert.equal((await preflight({ origin })).status, 400);
    const read = await world.send({ method: 'GET', target: `/${Bucket}/absent`, headers: { origin } });
    assert.deepEqual(
      [read.status, read.headers['access-control-allow-origin']],
      [404, origin],
      'a refusal is seen too',
    );
    assert.equal(read.headers['access-control-expose-headers'], 'ETag');
    const other = await world.send({
      method: 'GET',
      target: `/${Bucket}/absent`,
      headers: { origin: 'https://evil.test' },
    });
    assert.equal(other.headers['access-control-allow-origin'], undefined);
  }),
  acceptanceCase('lifecycle rules are kept, given back and removed', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const NoSuch = 'NoSuchLifecycleConfiguration';
    await refusal(s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })), NoSuch, 404);
    const Rules = [
      { ID: 'old', Status: 'Enabled' as const, Filter: { Prefix: 'logs/' }, Expiration: { Days: 30 } },
      {
        ID: 'uploads',
        Status: 'Disabled' as const,
        Filter: { Prefix: '' },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      },
    ];
    await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
    await world.settled(Bucket);
    const read = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    assert.deepEqual(
      read.Rules!.map(({ ID, Status, Expiration }) => [ID, Status, Expiration?.Days]),
      [
        ['old', 'Enabled', 30],
        ['uploads', 'Disabled', undefined],
      ],
    );
    const zero = { ...Rules[0]!, Expiration: { Days: 0 } };
    const wrong = new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [zero] } });
    await refusal(s3.send(wrong), 'InvalidArgument', 400);
    await s3.send(new DeleteBucketLifecycleCommand({ Bucket }));
    await world.settled(Bucket);
    await refusal(s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })), NoSuch, 404);
  }),
  acceptanceCase('there are no ACLs but the private one', async (world) => {
    const { s3, owner } = world;
    const Bucket = await world.bucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', ACL: 'bucket-owner-full-control' }));
    for (const command of [new GetBucketAclCommand({ Bucket }), new GetObjectAclCommand({ Bucket, Key: 'k' })]) {
      const { Owner, Grants } = await s3.send(command as GetBucketAclCommand);
      assert.deepEqual([Owner!.ID, Grants!.map(({ Permission }) => Permission)], [owner.userId, ['FULL_CONTROL']]);
    }
    await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'private' }));
    await s3.send(new PutObjectAclCommand({ Bucket, Key: 'k', ACL: 'private' }));
    const code = 'AccessControlListNotSupported';
    await refusal(s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read' })), code, 400);
    await refusal(s3.send(new PutObjectAclCommand({ Bucket, Key: 'k', ACL: 'public-read' })), code, 400);
    await refusal(s3.send(new PutObjectCommand({ Bucket, Key: 'k2', Body: 'x', ACL: 'public-read' })), code, 400);
    await refusal(s3.send(new GetObjectAclCommand({ Bucket, Key: 'k2' })), 'NoSuchKey', 404);
  }),
  acceptanceCase('what tools ask of a bucket has an answer', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const enforced = { OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' as const }] } };
    const preferred = { OwnershipControls: { Rules: [{ ObjectOwnership: 'ObjectWriter' as const }] } };
    await s3.send(new PutBucketOwnershipControlsCommand({ Bucket, ...enforced }));
    const wrong = s3.send(new PutBucketOwnershipControlsCommand({ Bucket, ...preferred }));
    await refusal(wrong, 'AccessControlListNotSupported', 400);
    const { OwnershipControls } = await s3.send(new GetBucketOwnershipControlsCommand({ Bucket }));
    assert.deepEqual(OwnershipControls, enforced.OwnershipControls);
    await s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket }));
    assert.equal((await s3.send(new GetBucketRequestPaymentCommand({ Bucket }))).Payer, 'BucketOwner');
    assert.equal((await s3.send(new GetBucketAccelerateConfigurationCommand({ Bucket }))).Status, undefined);
    const none = 'ServerSideEncryptionConfigurationNotFoundError';
    await refusal(s3.send(new GetBucketEncryptionCommand({ Bucket })), none, 404);
  }),
  acceptanceCase('a public access block is kept, given back and removed', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const all = { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true };
    await refusal(s3.send(new GetPublicAccessBlockCommand({ Bucket })), 'NoSuchPublicAccessBlockConfiguration', 404);
    await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: all }));
    await world.settled(Bucket);
    const read = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
    assert.deepEqual(read.PublicAccessBlockConfiguration, all);
    await s3.send(new DeletePublicAccessBlockCommand({ Bucket }));
    await world.settled(Bucket);
    await refusal(s3.send(new GetPublicAccessBlockCommand({ Bucket })), 'NoSuchPublicAccessBlockConfiguration', 404);
  }),
];
