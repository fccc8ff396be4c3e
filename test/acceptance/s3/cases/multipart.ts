import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf, partBytesMin, refusal } from '../case.ts';
import type { World } from '../world.ts';

type Part = { PartNumber: number; ETag: string | undefined };

/** An upload of one key, and short ways to go on with it. */
export async function beginUpload(
  world: World,
  more: Partial<CreateMultipartUploadCommandInput> = {},
  bucket?: string,
) {
  const { s3 } = world;
  const at = { Bucket: bucket ?? (await world.bucket()), Key: 'k' };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...at, ...more }));
  const ref = { ...at, UploadId };
  return {
    at,
    ref,
    put: async (PartNumber: number, Body: Buffer | string): Promise<Part> => {
      const { ETag } = await s3.send(new UploadPartCommand({ ...ref, PartNumber, Body }));
      return { PartNumber, ETag };
    },
    complete: (Parts: readonly Part[]) =>
      s3.send(new CompleteMultipartUploadCommand({ ...ref, MultipartUpload: { Parts: [...Parts] } })),
    abort: () => s3.send(new AbortMultipartUploadCommand(ref)),
  };
}

function compositeEtag(parts: readonly Buffer[]): string {
  const md5 = createHash('md5');
  for (const part of parts) md5.update(hash('md5', part, 'buffer'));
  return `"${md5.digest('hex')}-${parts.length}"`;
}

export const multipartCases: readonly Case[] = [
  acceptanceCase(
    'trap 9: parts uploaded in any order and again make one object, its ETag that of the parts',
    async (world) => {
      const { s3 } = world;
      const upload = await beginUpload(world, { ContentType: 'text/z', Metadata: { a: '1' }, Tagging: 't=1' });
      const [first, second, third] = [bytesOf(partBytesMin, 1), bytesOf(partBytesMin + 7, 2), bytesOf(10, 3)];
      const last = await upload.put(30, third);
      await upload.put(1, 'something else at first');
      const [one, two] = await Promise.all([upload.put(1, first), upload.put(2, second)]);
      const unlisted = await upload.put(40, 'not listed');
      assert.ok(unlisted.ETag);
      const done = await upload.complete([one, two, last]);
      assert.equal(done.ETag, compositeEtag([first, second, third]));
      const read = await s3.send(new GetObjectCommand(upload.at));
      assert.ok(Buffer.from(await read.Body!.transformToByteArray()).equals(Buffer.concat([first, second, third])));
      assert.deepEqual(
        [read.ETag, read.ContentType, read.Metadata, read.TagCount],
        [done.ETag, 'text/z', { a: '1' }, 1],
      );
      const attributes = await s3.send(
        new GetObjectAttributesCommand({ ...upload.at, ObjectAttributes: ['ObjectParts'] }),
      );
      assert.equal(attributes.ObjectParts!.TotalPartsCount, 3);
    },
  ),
  acceptanceCase(
    'trap 24: a completion that is repeated is answered the same, also when it came twice at once',
    async (world) => {
      const upload = await beginUpload(world);
      const part = await upload.put(1, 'content');
      const both = await Promise.all([upload.complete([part]), upload.complete([part])]);
      const again = await upload.complete([part]);
      assert.deepEqual([both[0].ETag, both[1].ETag], [again.ETag, again.ETag]);
    },
  ),
  acceptanceCase('trap 25: after completion an upload cannot be aborted, and nothing can be added', async (world) => {
    const upload = await beginUpload(world);
    await upload.complete([await upload.put(1, 'content')]);
    await refusal(upload.abort(), 'NoSuchUpload', 404);
    await refusal(upload.put(2, 'late'), 'NoSuchUpload', 404);
    const read = await world.s3.send(new GetObjectCommand(upload.at));
    assert.equal(await read.Body!.transformToString(), 'content');
  }),
  acceptanceCase('an aborted upload is gone', async (world) => {
    const upload = await beginUpload(world);
    const part = await upload.put(1, 'content');
    await upload.abort();
    await refusal(upload.complete([part]), 'NoSuchUpload', 404);
    await refusal(upload.put(1, 'late'), 'NoSuchUpload', 404);
    await refusal(upload.abort(), 'NoSuchUpload', 404);
    await refusal(world.s3.send(new GetObjectCommand(upload.at)), 'NoSuchKey', 404);
  }),
  acceptanceCase('a list of parts that is not right is refused, and the upload stays open', async (world) => {
    const upload = await beginUpload(world);
    const [one, two] = [await upload.put(1, 'small'), await upload.put(2, 'last')];
    await refusal(upload.complete([two, one]), 'InvalidPartOrder', 400);
    await refusal(upload.complete([one, one]), 'InvalidPartOrder', 400);
    await refusal(upload.complete([{ ...one, ETag: two.ETag }, two]), 'InvalidPart', 400);
    await refusal(upload.complete([{ ...two, PartNumber: 3 }]), 'InvalidPart', 400);
    await refusal(upload.complete([one, two]), 'EntityTooSmall', 400);
    const { Bucket, Key, UploadId } = upload.ref;
    const target = `/${Bucket}/${Key}?uploadId=${UploadId}`;
    for (const body of [
      '',
      '<CompleteMultipartUpload/>',
      '<CompleteMultipartUpload><Part/></CompleteMultipartUpload>',
      'x',
    ]) {
      const answer = await world.send({ method: 'POST', target, body });
      assert.deepEqual([body, answer.status, answer.code], [body, 400, 'MalformedXML']);
    }
    await upload.complete([two]);
    assert.equal((await world.send({ method: 'GET', target: `/${Bucket}/${Key}` })).text, 'last');
  }),
  acceptanceCase('part numbers are 1 to 10,000', async (world) => {
    const upload = await beginUpload(world);
    await upload.put(10_000, 'last');
    for (const PartNumber of [0, 10_001, -1]) await refusal(upload.put(PartNumber, 'x'), 'InvalidArgument', 400);
    const { Bucket, Key, UploadId } = upload.ref;
    const parts = Array.from(
      { length: 10_001 },
      (_, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>a</ETag></Part>`,
    );
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const answer = await world.send({ method: 'POST', target: `/${Bucket}/${Key}?uploadId=${UploadId}`, body });
    assert.deepEqual([answer.status, answer.code], [400, 'MalformedXML']);
  }),
  acceptanceCase('failure 16: an upload is only found under its own bucket and key', async (world) => {
    const upload = await beginUpload(world);
    const other = await world.bucket();
    for (const target of [`/${other}/k`, `/${upload.at.Bucket}/other`]) {
      const query = `?uploadId=${upload.ref.UploadId}`;
      const put = await world.send({ method: 'PUT', target: `${target}${query}&partNumber=1`, body: 'x' });
      const abort = await world.send({ method: 'DELETE', target: target + query });
      const list = await world.send({ method: 'GET', target: target + query });
      assert.deepEqual([put.code, abort.code, list.code], ['NoSuchUpload', 'NoSuchUpload', 'NoSuchUpload']);
    }
    await upload.complete([await upload.put(1, 'x')]);
  }),
  acceptanceCase('parts are copied from objects, whole or in ranges', async (world) => {
    const { s3 } = world;
    const upload = await beginUpload(world);
    const source = bytesOf(partBytesMin + 1000, 6);
    await s3.send(new PutObjectCommand({ Bucket: upload.at.Bucket, Key: 'source', Body: source }));
    const CopySource = `${upload.at.Bucket}/source`;
    const copy = async (PartNumber: number, CopySourceRange?: string): Promise<Part> => {
      const { CopyPartResult } = await s3.send(
        new UploadPartCopyCommand({ ...upload.ref, PartNumber, CopySource, CopySourceRange }),
      );
      return { PartNumber, ETag: CopyPartResult!.ETag };
    };
    const parts = [await copy(1), await copy(2, 'bytes=100-199')];
    await refusal(copy(3, 'bytes=0-99999999'), 'InvalidArgument', 400);
    await refusal(copy(3, 'bytes=5-'), 'InvalidArgument', 400);
    await upload.complete(parts);
    const read = await s3.send(new GetObjectCommand(upload.at));
    const body = Buffer.from(await read.Body!.transformToByteArray());
    assert.ok(body.equals(Buffer.concat([source, source.subarray(100, 200)])));
  }),
  ...(['COMPOSITE', 'FULL_OBJECT'] as const).map((ChecksumType) =>
    acceptanceCase(`the checksum of the whole is verified and told: ${ChecksumType}`, async (world) => {
      const { s3 } = world;
      const upload = await beginUpload(world, { ChecksumAlgorithm: 'CRC32', ChecksumType });
      const content = Buffer.from('content');
      const part = await s3.send(
        new UploadPartCommand({ ...upload.ref, PartNumber: 1, Body: content, ChecksumAlgorithm: 'CRC32' }),
      );
      const Parts = [{ PartNumber: 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 }];
      const finish = (more: object) =>
        s3.send(
          new CompleteMultipartUploadCommand({ ...upload.ref, ChecksumType, MultipartUpload: { Parts }, ...more }),
        );
      await refusal(finish({ ChecksumCRC32: 'AAAAAA==' }), 'BadDigest', 400);
      await refusal(finish({ MpuObjectSize: 99 }), 'InvalidRequest', 400);
      await refusal(
        finish({ MultipartUpload: { Parts: [{ ...Parts[0], ChecksumCRC32: 'AAAAAA==' }] } }),
        'InvalidPart',
        400,
      );
      const done = await finish({ MpuObjectSize: content.length });
      const head = await s3.send(new HeadObjectCommand({ ...upload.at, ChecksumMode: 'ENABLED' }));
      assert.deepEqual([head.ChecksumCRC32, head.ChecksumType], [done.ChecksumCRC32, ChecksumType]);
      if (ChecksumType === 'FULL_OBJECT') assert.equal(done.ChecksumCRC32, part.ChecksumCRC32);
      else assert.match(done.ChecksumCRC32!, /^[\w+/]+=*-1$/);
    }),
  ),
];
