import assert from 'node:assert/strict';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, pageNumbers, refusal } from '../case.ts';
import { textsOf } from '../wire.ts';
import type { World } from '../world.ts';

async function setVersioning(world: World, Bucket: string, Status: 'Enabled' | 'Suspended'): Promise<void> {
  await world.s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
  await world.settled(Bucket);
}

async function put({ s3 }: World, Bucket: string, Key: string, Body: string): Promise<string | undefined> {
  return (await s3.send(new PutObjectCommand({ Bucket, Key, Body }))).VersionId;
}

async function textOf({ s3 }: World, Bucket: string, Key: string, VersionId?: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  return Body!.transformToString();
}

/** All versions and markers in the order of the listing: `+` before the latest of a key, `!` before a marker. */
async function listed(world: World, bucket: string, maxKeys = 1000): Promise<string[]> {
  const seen: string[] = [];
  let position = '';
  for (const _ of pageNumbers()) {
    const { text } = await world.send({ method: 'GET', target: `/${bucket}?versions&max-keys=${maxKeys}${position}` });
    const entries = [...text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/g)];
    assert.ok(entries.length <= maxKeys);
    for (const [, kind, entry = ''] of entries) {
      const [key, id, isLatest] = ['Key', 'VersionId', 'IsLatest'].map((name) => textsOf(entry, name)[0]);
      seen.push(`${isLatest === 'true' ? '+' : ''}${kind === 'Version' ? '' : '!'}${key} ${id}`);
    }
    if (textsOf(text, 'IsTruncated')[0] !== 'true') break;
    const [key, id] = [textsOf(text, 'NextKeyMarker')[0], textsOf(text, 'NextVersionIdMarker')[0]];
    position = `&key-marker=${encodeURIComponent(key ?? '')}&version-id-marker=${id}`;
  }
  return seen;
}

export const versioningCases: readonly Case[] = [
  acceptanceCase('a bucket has no versions until they are wanted, and they can be suspended', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket();
    const status = async () => (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status;
    assert.equal(await status(), undefined);
    await setVersioning(world, Bucket, 'Enabled');
    assert.equal(await status(), 'Enabled');
    await setVersioning(world, Bucket, 'Suspended');
    assert.equal(await status(), 'Suspended');
    for (const body of [
      '<VersioningConfiguration/>',
      '<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>',
      'x',
      '',
    ]) {
      const answer = await world.send({ method: 'PUT', target: `/${Bucket}?versioning`, body });
      assert.equal(answer.status, 400, body);
    }
    assert.equal(await status(), 'Suspended');
  }),
  acceptanceCase('versions are kept, read and deleted one by one', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket({ versioning: 'enabled' });
    const ids = [
      await put(world, Bucket, 'k', '1'),
      await put(world, Bucket, 'k', '2'),
      await put(world, Bucket, 'k', '3'),
    ];
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(await listed(world, Bucket), [`+k ${ids[2]}`, `k ${ids[1]}`, `k ${ids[0]}`]);
    assert.deepEqual(await Promise.all(ids.map((id) => textOf(world, Bucket, 'k', id))), ['1', '2', '3']);
    const { VersionId } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }));
    assert.equal(VersionId, ids[2]);
    const gone = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: ids[2] }));
    assert.deepEqual([gone.VersionId, gone.DeleteMarker], [ids[2], undefined]);
    assert.equal(await textOf(world, Bucket, 'k'), '2', 'the one before it is the latest again');
    await refusal(textOf(world, Bucket, 'k', ids[2]), 'NoSuchVersion', 404);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: ids[2] }));
    for (const id of ids.slice(0, 2)) await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: id }));
    assert.deepEqual(await listed(world, Bucket), []);
  }),
  acceptanceCase(
    'trap 22: a delete marker hides a key: 404 with its header, 405 when it is asked for',
    async (world) => {
      const { s3 } = world;
      const Bucket = await world.bucket({ versioning: 'enabled' });
      const first = await put(world, Bucket, 'k', '1');
      const { DeleteMarker, VersionId: marker } = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
      assert.equal(DeleteMarker, true);
      for (const method of ['GET', 'HEAD']) {
        const hidden = await world.send({ method, target: `/${Bucket}/k` });
        assert.deepEqual(
          [hidden.status, hidden.headers['x-amz-delete-marker'], hidden.headers['x-amz-version-id']],
          [404, 'true', marker],
        );
        const named = await world.send({ method, target: `/${Bucket}/k?versionId=${marker}` });
        assert.deepEqual([named.status, named.headers['x-amz-delete-marker']], [405, 'true']);
        if (method === 'GET') assert.deepEqual([hidden.code, named.code], ['NoSuchKey', 'MethodNotAllowed']);
      }
      assert.equal(await textOf(world, Bucket, 'k', first), '1');
      assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
      const { VersionId: second } = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
      assert.notEqual(second, marker, 'a marker upon a marker');
      assert.deepEqual(await listed(world, Bucket), [`+!k ${second}`, `!k ${marker}`, `k ${first}`]);
      for (const VersionId of [second, marker]) {
        const removed = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId }));
        assert.deepEqual([removed.DeleteMarker, removed.VersionId], [true, VersionId]);
      }
      assert.equal(await textOf(world, Bucket, 'k'), '1', 'the key is there again');
      const absent = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'never there' }));
      assert.equal(absent.DeleteMarker, true, 'a marker for a key that never was');
    },
  ),
  acceptanceCase(
    'the null version is what was written without versions, and the one place for suspended ones',
    async (world) => {
      const { s3 } = world;
      const Bucket = await world.bucket();
      assert.equal(await put(world, Bucket, 'k', 'before'), undefined);
      await setVersioning(world, Bucket, 'Enabled');
      const one = await put(world, Bucket, 'k', 'one');
      assert.deepEqual(await listed(world, Bucket), [`+k ${one}`, 'k null']);
      assert.equal(await textOf(world, Bucket, 'k', 'null'), 'before');
      await setVersioning(world, Bucket, 'Suspended');
      assert.equal(await put(world, Bucket, 'k', 'suspended'), 'null');
      assert.deepEqual(await listed(world, Bucket), ['+k null', `k ${one}`]);
      assert.equal(await textOf(world, Bucket, 'k', 'null'), 'suspended');
      const marked = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
      assert.deepEqual([marked.DeleteMarker, marked.VersionId], [true, 'null']);
      assert.deepEqual(
        await listed(world, Bucket),
        ['+!k null', `k ${one}`],
        'the marker took the null version’s place',
      );
      await setVersioning(world, Bucket, 'Enabled');
      const two = await put(world, Bucket, 'k', 'two');
      assert.deepEqual(await listed(world, Bucket), [`+k ${two}`, '!k null', `k ${one}`]);
      await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: 'null' }));
      assert.deepEqual(await listed(world, Bucket), [`+k ${two}`, `k ${one}`]);
    },
  ),
  acceptanceCase('versions are listed page by page of any length, each once', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket({ versioning: 'enabled' });
    for (const [key, count] of [
      ['a', 3],
      ['b/1', 1],
      ['b/2', 4],
      ['c', 2],
    ] as const) {
      for (let index = 0; index < count; index++) await put(world, Bucket, key, String(index));
    }
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'b/2' }));
    const whole = await listed(world, Bucket);
    assert.equal(whole.length, 11);
    for (const length of [1, 2, 3, 4]) assert.deepEqual(await listed(world, Bucket, length), whole);
    const folded = await s3.send(new ListObjectVersionsCommand({ Bucket, Delimiter: '/' }));
    assert.deepEqual([folded.Versions!.length, folded.CommonPrefixes], [5, [{ Prefix: 'b/' }]]);
    const lone = await world.send({ method: 'GET', target: `/${Bucket}?versions&version-id-marker=x` });
    assert.deepEqual([lone.status, lone.code], [400, 'InvalidArgument']);
  }),
  acceptanceCase('many versions are deleted at once, each told with its marker', async (world) => {
    const { s3 } = world;
    const Bucket = await world.bucket({ versioning: 'enabled' });
    const VersionId = await put(world, Bucket, 'k', '1');
    const marked = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'k' }] } }));
    const { DeleteMarker, DeleteMarkerVersionId } = marked.Deleted![0]!;
    assert.equal(DeleteMarker, true);
    const Objects = [
      { Key: 'k', VersionId },
      { Key: 'k', VersionId: DeleteMarkerVersionId },
    ];
    const removed = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    assert.deepEqual(
      removed.Deleted!.map((one) => one.VersionId),
      [VersionId, DeleteMarkerVersionId],
    );
    assert.deepEqual(await listed(world, Bucket), []);
  }),
];
