import assert from 'node:assert/strict';
import { ListObjectsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { type Case, acceptanceCase, pageNumbers, refusal } from '../case.ts';
import { textsOf } from '../wire.ts';
import type { World } from '../world.ts';

export async function withKeys(world: World, keys: readonly string[]): Promise<string> {
  const bucket = await world.bucket();
  const encoded = keys.map((key) => key.split('/').map(encodeURIComponent).join('/'));
  for (let at = 0; at < encoded.length; at += 8) {
    const batch = encoded
      .slice(at, at + 8)
      .map((key) => world.send({ method: 'PUT', target: `/${bucket}/${key}`, body: key }));
    for (const { status, text } of await Promise.all(batch)) assert.equal(status, 200, text);
  }
  return bucket;
}

const tree = ['a', 'a/1', 'a/2', 'b/1', 'b/c/1', 'c', 'd/1'];

export const listingCases: readonly Case[] = [
  acceptanceCase('trap 15: common prefixes count as keys, and no page splits or repeats one', async (world) => {
    const Bucket = await withKeys(world, tree);
    const seen: string[] = [];
    let ContinuationToken: string | undefined;
    for (const _ of pageNumbers()) {
      const page = await world.s3.send(
        new ListObjectsV2Command({ Bucket, Delimiter: '/', MaxKeys: 2, ContinuationToken }),
      );
      const names = [
        ...(page.Contents ?? []).map(({ Key }) => Key!),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!),
      ];
      assert.equal(page.KeyCount, names.length);
      assert.ok(names.length <= 2 && (names.length === 2 || !page.IsTruncated));
      seen.push(...names);
      ContinuationToken = page.NextContinuationToken;
      assert.equal(page.IsTruncated, ContinuationToken !== undefined);
      if (ContinuationToken === undefined) break;
    }
    assert.deepEqual(seen.toSorted(), ['a', 'a/', 'b/', 'c', 'd/']);
  }),
  acceptanceCase(
    'trap 15: max-keys of 0 is an empty page that is not truncated, more than 1,000 is 1,000',
    async (world) => {
      const Bucket = await withKeys(world, tree);
      const none = await world.s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 0 }));
      assert.deepEqual([none.KeyCount, none.IsTruncated, none.NextContinuationToken], [0, false, undefined]);
      const most = await world.s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 5000 }));
      assert.deepEqual([most.KeyCount, most.MaxKeys], [7, 1000]);
      for (const wrong of ['-1', 'many', '99999999999']) {
        const answer = await world.send({ method: 'GET', target: `/${Bucket}?list-type=2&max-keys=${wrong}` });
        assert.deepEqual([wrong, answer.status, answer.code], [wrong, 400, 'InvalidArgument']);
      }
    },
  ),
  acceptanceCase('trap 15: StartAfter is where a listing begins, and nothing once there is a token', async (world) => {
    const Bucket = await withKeys(world, tree);
    const first = await world.s3.send(new ListObjectsV2Command({ Bucket, StartAfter: 'a/1', MaxKeys: 1 }));
    assert.deepEqual([first.Contents![0]!.Key, first.StartAfter], ['a/2', 'a/1']);
    const token = first.NextContinuationToken;
    const second = await world.s3.send(
      new ListObjectsV2Command({ Bucket, StartAfter: 'c', ContinuationToken: token, MaxKeys: 1 }),
    );
    assert.deepEqual([second.Contents![0]!.Key, second.ContinuationToken], ['b/1', token]);
    const bad = new ListObjectsV2Command({ Bucket, ContinuationToken: 'made up' });
    await refusal(world.s3.send(bad), 'InvalidArgument', 400);
  }),
  acceptanceCase('version 1 goes on from markers, and tells NextMarker with a delimiter alone', async (world) => {
    const Bucket = await withKeys(world, tree);
    const plain = await world.s3.send(new ListObjectsCommand({ Bucket, MaxKeys: 3 }));
    assert.deepEqual([plain.Contents!.at(-1)!.Key, plain.IsTruncated, plain.NextMarker], ['a/2', true, undefined]);
    const rest = await world.s3.send(new ListObjectsCommand({ Bucket, Marker: 'a/2' }));
    assert.deepEqual(
      rest.Contents!.map(({ Key }) => Key),
      tree.slice(3),
    );
    const folded = await world.s3.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 2 }));
    assert.equal(folded.NextMarker, 'a/');
    const next = await world.s3.send(new ListObjectsCommand({ Bucket, Delimiter: '/', Marker: 'a/', MaxKeys: 1 }));
    assert.deepEqual([next.CommonPrefixes, next.Contents], [[{ Prefix: 'b/' }], undefined]);
  }),
  acceptanceCase('trap 16: encoding-type=url encodes keys, prefixes, delimiter and markers', async (world) => {
    const bucket = await withKeys(world, ['p ü/a b', 'p ü/c/d', 'p ü/e&f']);
    const query = 'prefix=p%20%C3%BC%2F&delimiter=%2F&encoding-type=url&start-after=p%20%C3%BC%2Fa';
    const { text } = await world.send({ method: 'GET', target: `/${bucket}?list-type=2&${query}` });
    assert.deepEqual(textsOf(text, 'EncodingType'), ['url']);
    assert.deepEqual(textsOf(text, 'Key'), ['p%20%C3%BC/a%20b', 'p%20%C3%BC/e%26f']);
    assert.deepEqual(textsOf(text, 'Prefix'), ['p%20%C3%BC/', 'p%20%C3%BC/c/']);
    assert.deepEqual(textsOf(text, 'StartAfter'), ['p%20%C3%BC/a']);
    assert.deepEqual(textsOf(text, 'Delimiter'), ['/']);
    const wrong = await world.send({ method: 'GET', target: `/${bucket}?encoding-type=base64` });
    assert.deepEqual([wrong.status, wrong.code], [400, 'InvalidArgument']);
  }),
  acceptanceCase('trap 17: keys are in the order of their UTF-8 bytes', async (world) => {
    // In UTF-16 the second of these would stand before the first.
    const keys = ['\uff5e', '😀', 'Z', 'a', 'é', 'e\u0301', 'a!'];
    const bucket = await withKeys(world, keys);
    const page = await world.s3.send(new ListObjectsV2Command({ Bucket: bucket }));
    const expected = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(
      page.Contents!.map(({ Key }) => Key),
      expected,
    );
  }),
  acceptanceCase('trap 20: keys that XML cannot carry are told URL-encoded, and so is the listing', async (world) => {
    const bucket = await withKeys(world, ['bell\u0007', 'plain']);
    const { text } = await world.send({ method: 'GET', target: `/${bucket}` });
    assert.deepEqual([textsOf(text, 'EncodingType'), textsOf(text, 'Key')], [['url'], ['bell%07', 'plain']]);
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0008]|&#x?0*7;/);
  }),
  acceptanceCase('an owner is told in version 1, and in version 2 when it is asked for', async (world) => {
    const Bucket = await withKeys(world, ['k']);
    const one = await world.s3.send(new ListObjectsCommand({ Bucket }));
    const two = await world.s3.send(new ListObjectsV2Command({ Bucket }));
    const asked = await world.s3.send(new ListObjectsV2Command({ Bucket, FetchOwner: true }));
    const owners = [one, two, asked].map(({ Contents }) => Contents![0]!.Owner?.ID);
    assert.deepEqual(owners, [world.owner.userId, undefined, world.owner.userId]);
  }),
];
