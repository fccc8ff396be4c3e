import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { ListPartsCommand } from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf } from '../case.ts';
import { textsOf } from '../wire.ts';
import { beginUpload } from './multipart.ts';

const rounds = 6;

const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: Error) => error.name,
  );

export const raceCases: readonly Case[] = [
  acceptanceCase('of the same part uploaded 6 times at once one stands, with its own bytes', async (world) => {
    const upload = await beginUpload(world);
    const bodies = Array.from({ length: 6 }, (_, index) => bytesOf(50_000, index + 1));
    await Promise.all(bodies.map((body) => upload.put(1, body)));
    const { Parts } = await world.s3.send(new ListPartsCommand(upload.ref));
    assert.equal(Parts!.length, 1);
    await upload.complete([{ PartNumber: 1, ETag: Parts![0]!.ETag }]);
    const { body } = await world.send({ method: 'GET', target: `/${upload.at.Bucket}/k` });
    assert.ok(bodies.some((one) => one.equals(body)));
    assert.equal(Parts![0]!.ETag, `"${hash('md5', body, 'hex')}"`);
  }),
  acceptanceCase('of a completion and an abortion at once one wins', async (world) => {
    const bucket = await world.bucket();
    for (let round = 0; round < rounds; round++) {
      const upload = await beginUpload(world, {}, bucket);
      const part = await upload.put(1, `content ${round}`);
      await world.send({ method: 'DELETE', target: `/${bucket}/k` });
      const both = await Promise.all([outcome(upload.complete([part])), outcome(upload.abort())]);
      const read = await world.send({ method: 'GET', target: `/${bucket}/k` });
      if (both[0] === 'done') assert.deepEqual([both[1], read.text], ['NoSuchUpload', `content ${round}`]);
      else assert.deepEqual([...both, read.status], ['NoSuchUpload', 'done', 404]);
    }
  }),
  acceptanceCase('of a part and an abortion at once nothing is left', async (world) => {
    const bucket = await world.bucket();
    for (let round = 0; round < rounds; round++) {
      const upload = await beginUpload(world, {}, bucket);
      const both = await Promise.all([outcome(upload.put(1, bytesOf(200_000))), outcome(upload.abort())]);
      assert.equal(both[1], 'done');
      assert.ok(both[0] === 'done' || both[0] === 'NoSuchUpload', both[0]);
    }
    const { text } = await world.send({ method: 'GET', target: `/${bucket}?uploads` });
    assert.deepEqual(textsOf(text, 'UploadId'), []);
  }),
  acceptanceCase('a bucket that is deleted while an object is written has the object, or is gone', async (world) => {
    for (let round = 0; round < rounds; round++) {
      const bucket = await world.bucket();
      const [put, removed] = await Promise.all([
        world.send({ method: 'PUT', target: `/${bucket}/k`, body: bytesOf(1000, round) }),
        world.send({ method: 'DELETE', target: `/${bucket}` }),
      ]);
      const isStanding = put.status === 200;
      assert.deepEqual([removed.status, put.code], isStanding ? [409, ''] : [204, 'NoSuchBucket']);
    }
  }),
  acceptanceCase('of writes and deletions of a versioned key at once every version stays', async (world) => {
    const bucket = await world.bucket({ versioning: 'enabled' });
    const target = `/${bucket}/k`;
    const calls = Array.from({ length: 12 }, (_, index) =>
      world.send(index % 3 === 2 ? { method: 'DELETE', target } : { method: 'PUT', target, body: String(index) }),
    );
    const ids = (await Promise.all(calls)).map(({ headers }) => String(headers['x-amz-version-id']));
    const { text } = await world.send({ method: 'GET', target: `/${bucket}?versions` });
    assert.deepEqual(textsOf(text, 'VersionId').toSorted(), ids.toSorted());
    assert.equal(textsOf(text, 'IsLatest').filter((word) => word === 'true').length, 1);
    assert.equal(textsOf(text, 'IsLatest')[0], 'true');
  }),
];
