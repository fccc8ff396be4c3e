import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, refusal } from '../case.ts';
import { textsOf } from '../wire.ts';
import type { World } from '../world.ts';

function deleteMany(world: World, bucket: string, body: string, headers?: Readonly<Record<string, string>>) {
  const md5 = createHash('md5').update(body).digest('base64');
  return world.send({ method: 'POST', target: `/${bucket}?delete`, body, headers: headers ?? { 'content-md5': md5 } });
}

const documentOf = (keys: readonly string[]) =>
  `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`;

const badDocuments: readonly (readonly [what: string, body: string])[] = [
  ['nothing', ''],
  ['no objects', '<Delete></Delete>'],
  ['an object without a key', '<Delete><Object></Object></Delete>'],
  ['another root', '<Remove><Object><Key>k</Key></Object></Remove>'],
  ['XML that does not end', '<Delete><Object><Key>k</Key></Object>'],
  ['no XML', 'k'],
  ['more than 1,000 keys', documentOf(Array.from({ length: 1001 }, (_, index) => `k${index}`))],
  ['an entity', '<!DOCTYPE d [<!ENTITY e "k">]><Delete><Object><Key>&e;</Key></Object></Delete>'],
  [
    'a file of the server as an entity',
    '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>',
  ],
];

export const deleteCases: readonly Case[] = [
  acceptanceCase('trap 21: many keys are deleted at once, and what is not there is deleted too', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const keys = ['a', 'b/c', ' d ', 'e&f'];
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'stays', Body: 'x' }));
    const Objects = [...keys, 'never there'].map((Key) => ({ Key }));
    const { Deleted, Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    assert.deepEqual(Deleted!.map(({ Key }) => Key).toSorted(), Objects.map(({ Key }) => Key).toSorted());
    assert.equal(Errors, undefined);
    const left = await s3.send(new ListObjectsV2Command({ Bucket }));
    assert.deepEqual(
      left.Contents!.map(({ Key }) => Key),
      ['stays'],
    );
  }),
  acceptanceCase('trap 21: a quiet deletion tells errors alone', async (world) => {
    const bucket = await world.bucket({ isLocked: true });
    const headers = { 'x-amz-object-lock-legal-hold': 'ON' };
    const { headers: held } = await world.send({ method: 'PUT', target: `/${bucket}/held`, body: 'x', headers });
    await world.send({ method: 'PUT', target: `/${bucket}/free`, body: 'x' });
    const version = String(held['x-amz-version-id']);
    const body = `<Delete><Quiet>true</Quiet><Object><Key>free</Key></Object><Object><Key>held</Key><VersionId>${version}</VersionId></Object></Delete>`;
    const answer = await deleteMany(world, bucket, body);
    assert.equal(answer.status, 200);
    assert.deepEqual([textsOf(answer.text, 'Key'), textsOf(answer.text, 'Code')], [['held'], ['AccessDenied']]);
    assert.deepEqual(textsOf(answer.text, 'VersionId'), [version]);
  }),
  acceptanceCase('trap 21: a deletion of many needs a digest of its body, and one that is right', async (world) => {
    const bucket = await world.bucket();
    await world.send({ method: 'PUT', target: `/${bucket}/k`, body: 'x' });
    const body = documentOf(['k']);
    const without = await deleteMany(world, bucket, body, {});
    assert.deepEqual([without.status, without.code], [400, 'InvalidRequest']);
    const wrong = await deleteMany(world, bucket, body, { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' });
    assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest']);
    assert.equal((await world.send({ method: 'GET', target: `/${bucket}/k` })).status, 200);
    const sha256 = createHash('sha256').update(body).digest('base64');
    const right = await deleteMany(world, bucket, body, { 'x-amz-checksum-sha256': sha256 });
    assert.deepEqual([right.status, textsOf(right.text, 'Key')], [200, ['k']]);
  }),
  ...badDocuments.map(([what, body]) =>
    acceptanceCase(`a deletion of many with ${what} is MalformedXML and deletes nothing`, async (world) => {
      const bucket = await world.bucket();
      await world.send({ method: 'PUT', target: `/${bucket}/k`, body: 'x' });
      const answer = await deleteMany(world, bucket, body);
      assert.deepEqual([answer.status, answer.code], [400, 'MalformedXML']);
      assert.equal((await world.send({ method: 'GET', target: `/${bucket}/k` })).text, 'x');
    }),
  ),
  acceptanceCase('1,000 keys are deleted in one request', async (world) => {
    const bucket = await world.bucket();
    const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
    for (const key of keys.slice(0, 20)) await world.send({ method: 'PUT', target: `/${bucket}/${key}`, body: key });
    const answer = await deleteMany(world, bucket, documentOf(keys));
    assert.equal(textsOf(answer.text, 'Key').length, 1000);
    const listing = await world.send({ method: 'GET', target: `/${bucket}` });
    assert.deepEqual(textsOf(listing.text, 'Key'), []);
  }),
  acceptanceCase('conditions of deletions that are not known delete nothing', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    const Objects = [{ Key: 'k', Size: 99 }];
    await refusal(s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } })), 'NotImplemented', 501);
    assert.equal((await world.send({ method: 'GET', target: `/${Bucket}/k` })).status, 200);
    const ETag = '"00000000000000000000000000000000"';
    const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'k', ETag }] } }));
    assert.equal(Errors![0]!.Code, 'PreconditionFailed');
  }),
];
