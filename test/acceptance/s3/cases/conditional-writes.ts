import assert from 'node:assert/strict';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, bytesOf, refusal } from '../case.ts';
import type { World } from '../world.ts';

const parallel = 8;
/** A 409 tells that others were in the way, not that one of them has won. */
const attemptsMax = 200;

/** Writes the same key at once, each with content of its own; gives the statuses and codes, and who won. */
async function race(world: World, bodies: readonly Buffer[], headers: Readonly<Record<string, string>>) {
  const target = `/${await world.bucket()}/k`;
  const answers = await Promise.all(bodies.map((body) => world.send({ method: 'PUT', target, body, headers })));
  const won = answers.findIndex(({ status }) => status === 200);
  const outcomes = answers.map(({ status, code }) => `${status} ${code}`.trim()).toSorted();
  return { target, outcomes, winner: bodies[won], wins: answers.filter(({ status }) => status === 200).length };
}

/** An upload with one part, ready to be completed. */
async function readyUpload({ s3 }: World, Bucket: string, Key: string) {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const { ETag } = await s3.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: `of ${UploadId}` }),
  );
  return { Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
}

export const conditionalWriteCases: readonly Case[] = [
  acceptanceCase('trap 11: If-None-Match: * writes only what is not there', async (world) => {
    const at = { Bucket: await world.bucket(), Key: 'k' };
    const { s3 } = world;
    await s3.send(new PutObjectCommand({ ...at, Body: 'first', IfNoneMatch: '*' }));
    await refusal(
      s3.send(new PutObjectCommand({ ...at, Body: 'second', IfNoneMatch: '*' })),
      'PreconditionFailed',
      412,
    );
    assert.equal((await world.send({ method: 'GET', target: `/${at.Bucket}/k` })).text, 'first');
    await s3.send(new DeleteObjectCommand(at));
    await s3.send(new PutObjectCommand({ ...at, Body: 'third', IfNoneMatch: '*' }));
  }),
  acceptanceCase('If-Match writes only over what it names, and only where something is', async (world) => {
    const at = { Bucket: await world.bucket(), Key: 'k' };
    const { s3 } = world;
    await refusal(s3.send(new PutObjectCommand({ ...at, Body: 'x', IfMatch: '"abc"' })), 'NoSuchKey', 404);
    const { ETag } = await s3.send(new PutObjectCommand({ ...at, Body: 'first' }));
    await refusal(s3.send(new PutObjectCommand({ ...at, Body: 'x', IfMatch: '"abc"' })), 'PreconditionFailed', 412);
    await s3.send(new PutObjectCommand({ ...at, Body: 'second', IfMatch: ETag }));
    await refusal(s3.send(new PutObjectCommand({ ...at, Body: 'third', IfMatch: ETag })), 'PreconditionFailed', 412);
    assert.equal((await world.send({ method: 'GET', target: `/${at.Bucket}/k` })).text, 'second');
  }),
  acceptanceCase(`of ${parallel} writes with If-None-Match: * at once exactly one wins`, async (world) => {
    const bodies = Array.from({ length: parallel }, (_, index) => bytesOf(2_000, index + 1));
    const { target, outcomes, winner, wins } = await race(world, bodies, { 'if-none-match': '*' });
    assert.equal(wins, 1, outcomes.join());
    const others = outcomes.filter((outcome) => outcome !== '200');
    assert.ok(
      others.every((outcome) => ['412 PreconditionFailed', '409 ConditionalRequestConflict'].includes(outcome)),
      others.join(),
    );
    assert.ok((await world.send({ method: 'GET', target })).body.equals(winner!));
  }),
  acceptanceCase(`of ${parallel} large writes with If-None-Match: * at once exactly one wins`, async (world) => {
    const bodies = Array.from({ length: parallel }, (_, index) => bytesOf(300_000, index + 1));
    const { target, wins, winner } = await race(world, bodies, { 'if-none-match': '*' });
    assert.equal(wins, 1);
    assert.ok((await world.send({ method: 'GET', target })).body.equals(winner!));
  }),
  acceptanceCase(
    `failure 3: of ${parallel} writes without a condition at once all succeed, and one stands whole`,
    async (world) => {
      const bodies = Array.from({ length: parallel }, (_, index) => bytesOf(100_000, index + 1));
      const { target, wins } = await race(world, bodies, {});
      assert.equal(wins, parallel);
      const { body } = await world.send({ method: 'GET', target });
      assert.ok(bodies.some((one) => one.equals(body)));
    },
  ),
  acceptanceCase(`of ${parallel} compare-and-set loops no addition is lost`, async (world) => {
    const target = `/${await world.bucket()}/counter`;
    await world.send({ method: 'PUT', target, body: '0' });
    const add = async (): Promise<void> => {
      for (let attempt = 1; attempt <= attemptsMax; attempt++) {
        const { text, headers } = await world.send({ method: 'GET', target });
        const match = { 'if-match': String(headers.etag) };
        const { status } = await world.send({ method: 'PUT', target, body: String(Number(text) + 1), headers: match });
        if (status === 200) return;
        assert.ok(status === 412 || status === 409, String(status));
      }
      assert.fail(`nobody won in ${attemptsMax} attempts`);
    };
    await Promise.all(Array.from({ length: parallel }, add));
    assert.equal((await world.send({ method: 'GET', target })).text, String(parallel));
  }),
  acceptanceCase('a condition holds for completing an upload, and it stays open when it is refused', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const ready = await readyUpload(world, Bucket, 'k');
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'came before' }));
    const refused = new CompleteMultipartUploadCommand({ ...ready, IfNoneMatch: '*' });
    await refusal(s3.send(refused), 'PreconditionFailed', 412);
    await s3.send(new CompleteMultipartUploadCommand({ ...ready, IfMatch: ETag }));
  }),
  acceptanceCase('of 4 uploads completed with If-None-Match: * at once exactly one wins', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const ready = [0, 1, 2, 3].map(() => readyUpload(world, Bucket, 'k'));
    const completing = (await Promise.all(ready)).map((one) =>
      s3.send(new CompleteMultipartUploadCommand({ ...one, IfNoneMatch: '*' })).then(
        () => 'won',
        (error: Error) => error.name,
      ),
    );
    const outcomes = (await Promise.all(completing)).toSorted();
    assert.equal(outcomes.filter((outcome) => outcome === 'won').length, 1, outcomes.join());
  }),
  acceptanceCase('If-Match deletes only what it names', async (world) => {
    const { s3 } = world;
    const at = { Bucket: await world.bucket(), Key: 'k' };
    const { ETag } = await s3.send(new PutObjectCommand({ ...at, Body: 'content' }));
    await refusal(s3.send(new DeleteObjectCommand({ ...at, IfMatch: '"other"' })), 'PreconditionFailed', 412);
    await s3.send(new DeleteObjectCommand({ ...at, IfMatch: ETag }));
    assert.equal((await world.send({ method: 'HEAD', target: `/${at.Bucket}/k` })).status, 404);
  }),
  acceptanceCase('If-None-Match with an ETag does not write the same content again', async (world) => {
    const target = `/${await world.bucket()}/k`;
    const { etag } = (await world.send({ method: 'PUT', target, body: 'same' })).headers;
    const headers = { 'if-none-match': String(etag) };
    const same = await world.send({ method: 'PUT', target, body: 'other', headers });
    await world.send({ method: 'PUT', target, body: 'newer' });
    const other = await world.send({ method: 'PUT', target, body: 'other', headers });
    assert.deepEqual([same.status, same.code, other.status], [412, 'PreconditionFailed', 200]);
  }),
];
