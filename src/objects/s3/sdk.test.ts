import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { openStage } from './test-stage.ts';

describe('the AWS SDK for JavaScript', () => {
  test('puts, reads, lists, copies and deletes with its own defaults', async () => {
    await using at = await openStage();
    const client = new S3Client({
      endpoint: at.url.href,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: at.owner.accessKey, secretAccessKey: at.owner.secret },
    });
    const Bucket = 'box';
    try {
      await client.send(new CreateBucketCommand({ Bucket }));
      const small = randomBytes(1_000);
      const put = await client.send(
        new PutObjectCommand({ Bucket, Key: 'a/ü b+c', Body: small, Metadata: { k: 'v' } }),
      );
      assert.ok(put.ChecksumCRC32 !== undefined, 'its default checksum comes back');
      const large = randomBytes(1_000_000);
      // A stream travels in chunks, with its checksum behind it.
      const stream = { Bucket, Key: 'large', Body: Readable.from([large]), ContentLength: large.length };
      await client.send(new PutObjectCommand({ ...stream, ChecksumAlgorithm: 'CRC64NVME' }));
      const got = await client.send(new GetObjectCommand({ Bucket, Key: 'large', ChecksumMode: 'ENABLED' }));
      assert.ok(Buffer.from(await got.Body!.transformToByteArray()).equals(large));
      assert.ok(got.ChecksumCRC64NVME !== undefined);
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'a/ü b+c' }));
      assert.deepEqual([head.ContentLength, head.Metadata], [1_000, { k: 'v' }]);
      const list = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: '/', EncodingType: 'url' }));
      assert.deepEqual([list.Contents?.map(({ Key }) => Key), list.CommonPrefixes], [['large'], [{ Prefix: 'a/' }]]);
      const source = encodeURIComponent(`${Bucket}/a/ü b+c`);
      const copy = await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: source }));
      assert.equal(copy.CopyObjectResult?.ETag, put.ETag);
      const attributes = { Bucket, Key: 'large', ObjectAttributes: ['ETag', 'Checksum', 'ObjectSize'] as const };
      const told = await client.send(
        new GetObjectAttributesCommand({ ...attributes, ObjectAttributes: [...attributes.ObjectAttributes] }),
      );
      assert.deepEqual([told.ObjectSize, told.Checksum?.ChecksumType], [large.length, 'FULL_OBJECT']);
      const versions = await client.send(new ListObjectVersionsCommand({ Bucket }));
      assert.deepEqual(
        versions.Versions?.map(({ VersionId }) => VersionId),
        ['null', 'null', 'null'],
      );
      const Objects = ['copy', 'large', 'none'].map((Key) => ({ Key }));
      const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      assert.deepEqual([deleted.Deleted?.length, deleted.Errors], [3, undefined]);
      await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: 'copy' })), NoSuchKey);
    } finally {
      client.destroy();
    }
  });
});
