import assert from 'node:assert/strict';
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, pageNumbers } from '../case.ts';
import { beginUpload } from './multipart.ts';

export const multipartListCases: readonly Case[] = [
  acceptanceCase('parts are listed page by page, as they stand', async (world) => {
    const upload = await beginUpload(world, { ChecksumAlgorithm: 'SHA256' });
    const numbers = [7, 1, 300, 10_000, 2];
    for (const number of numbers) await upload.put(number, `part ${number}`);
    await upload.put(7, 'part 7 again');
    const seen: [number, number][] = [];
    let PartNumberMarker: string | undefined;
    for (const _ of pageNumbers()) {
      const page = await world.s3.send(new ListPartsCommand({ ...upload.ref, MaxParts: 2, PartNumberMarker }));
      for (const { PartNumber, Size, ChecksumSHA256 } of page.Parts!) {
        seen.push([PartNumber!, Size!]);
        assert.ok(ChecksumSHA256);
      }
      assert.deepEqual(
        [page.Initiator!.ID, page.Owner!.ID, page.StorageClass],
        [world.owner.userId, world.owner.userId, 'STANDARD'],
      );
      if (page.IsTruncated !== true) break;
      PartNumberMarker = page.NextPartNumberMarker;
    }
    assert.deepEqual(seen, [
      [1, 6],
      [2, 6],
      [7, 12],
      [300, 8],
      [10_000, 10],
    ]);
    const wrong = await world.send({
      method: 'GET',
      target: `/${upload.at.Bucket}/k?uploadId=${upload.ref.UploadId}&max-parts=x`,
    });
    assert.deepEqual([wrong.status, wrong.code], [400, 'InvalidArgument']);
  }),
  acceptanceCase('uploads are listed page by page, with prefixes, several of one key', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const made: string[] = [];
    for (const Key of ['a', 'a', 'a', 'b/1', 'b/2', 'c']) {
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      made.push(`${Key} ${UploadId}`);
    }
    const seen: string[] = [];
    let position: { KeyMarker?: string; UploadIdMarker?: string } = {};
    for (const _ of pageNumbers()) {
      const page = await s3.send(new ListMultipartUploadsCommand({ Bucket, MaxUploads: 2, ...position }));
      seen.push(...page.Uploads!.map(({ Key, UploadId }) => `${Key} ${UploadId}`));
      if (page.IsTruncated !== true) break;
      position = { KeyMarker: page.NextKeyMarker!, UploadIdMarker: page.NextUploadIdMarker! };
    }
    assert.deepEqual(seen, made);
    const folded = await s3.send(new ListMultipartUploadsCommand({ Bucket, Delimiter: '/' }));
    assert.deepEqual([folded.Uploads!.length, folded.CommonPrefixes], [4, [{ Prefix: 'b/' }]]);
    const under = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'b/' }));
    assert.deepEqual(
      under.Uploads!.map(({ Key }) => Key),
      ['b/1', 'b/2'],
    );
    const after = await s3.send(new ListMultipartUploadsCommand({ Bucket, KeyMarker: 'a' }));
    assert.deepEqual(
      after.Uploads!.map(({ Key }) => Key),
      ['b/1', 'b/2', 'c'],
    );
  }),
  acceptanceCase('an upload under way is no object, and keeps its bucket from being deleted', async (world) => {
    const upload = await beginUpload(world);
    await upload.put(1, 'content');
    const { Bucket } = upload.at;
    const { text } = await world.send({ method: 'GET', target: `/${Bucket}` });
    assert.doesNotMatch(text, /<Key>/);
    const { status, code } = await world.send({ method: 'DELETE', target: `/${Bucket}` });
    assert.deepEqual([status, code], [409, 'BucketNotEmpty']);
  }),
];
