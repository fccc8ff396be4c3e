import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { s3CodeOf } from '../../src/objects/errors.ts';
import type { ObjectVersion } from '../../src/objects/object.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, beginUpload, chunked, complete, copy, put, putPart, read, remove } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const ifAbsent = { conditions: { ifNoneMatch: ['*'] } };

/** What came of each of many attempts: the version, or the code of the refusal. */
async function outcomes(attempts: readonly Promise<ObjectVersion>[]) {
  const ends = await Promise.all(
    attempts.map((attempt) => attempt.catch((error: unknown) => s3CodeOf(error) ?? error)),
  );
  const versions = ends.filter((end): end is ObjectVersion => typeof end === 'object' && end !== null && 'etag' in end);
  return { versions, refusals: ends.filter((end) => !versions.includes(end as ObjectVersion)) };
}

async function lastEvent(lab: Lab, bucket: string, key: string) {
  const statement = 'select type, data from events where resource = ? order by seq desc limit 1';
  const [row] = await lab.store.read((reader) =>
    reader.rows<{ type: string; data: string }>(statement, [`object:${bucket}/${key}`]),
  );
  return { type: row!.type, etag: (JSON.parse(row!.data) as { etag: string }).etag };
}

onEveryStore('one key and many who write it', (engine) => {
  test('failure 3: of those who want to be the first, exactly one is, however it writes', async () => {
    const lab = await openLab(engine, labBackends(3));
    const other = await lab.another();
    await lab.bucket('b', { copies: 2, durability: 'one' });
    await put(lab, 'b', 'source', 'copied');
    for (let round = 0; round < 4; round++) {
      const key = `k${round}`;
      const uploads = await Promise.all([lab, other].map((one) => beginUpload(one, 'b', key)));
      const parts = await Promise.all(uploads.map((upload, at) => putPart(lab, upload, 1, Buffer.from(`part ${at}`))));
      const { versions, refusals } = await outcomes([
        ...[lab, other, lab, other].map((one, at) => put(one, 'b', key, `content ${at}`, ifAbsent)),
        ...[lab, other].map((one) => put(one, 'b', key, chunked(70_000), { sizeBytes: 70_000, ...ifAbsent })),
        ...[other, lab].map((one) => copy(one, ['b', 'source'], ['b', key], ifAbsent)),
        ...uploads.map((upload, at) => complete(at === 0 ? lab : other, upload, [parts[at]!], ifAbsent)),
      ]);
      assert.equal(versions.length, 1);
      assert.deepEqual(new Set(refusals), new Set(['PreconditionFailed']));
      assert.equal((await other.gateway.objects.stat({ bucket: 'b', key })).etag, versions[0]!.etag);
      for (const upload of uploads) await lab.gateway.uploads.abort(upload, 'tester').catch(() => {});
    }
    await other.gateway.writer.settle();
    await assertClean(lab);
    for (const key of ['source', 'k0', 'k1', 'k2', 'k3']) await remove(lab, 'b', key);
    await assertEmpty(lab);
    await other.close();
    await lab.close();
  });

  test('failure 22: writers who each build on what they have read lose no change', async () => {
    const lab = await openLab(engine, labBackends(2));
    const other = await lab.another();
    await lab.bucket('b', { copies: 2, durability: 'one' });
    await put(lab, 'b', 'k', '');
    const add = async (one: Lab, letter: string) => {
      for (let attempt = 0; attempt < 200; attempt++) {
        const { etag } = await one.gateway.objects.stat({ bucket: 'b', key: 'k' });
        const text = String(await read(one, 'b', 'k'));
        const made = await put(one, 'b', 'k', text + letter, { conditions: { ifMatch: [etag] } }).catch(s3CodeOf);
        if (typeof made === 'object' && made !== null) return;
        assert.equal(made, 'PreconditionFailed');
      }
      assert.fail(`${letter} never had its turn`);
    };
    const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await Promise.all(letters.map((letter, index) => add(index % 2 === 0 ? lab : other, letter)));
    assert.deepEqual(Array.from(String(await read(lab, 'b', 'k'))).toSorted(), letters);
    await other.gateway.writer.settle();
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  for (const versioning of ['off', 'enabled'] as const) {
    test(`failure 3: writes, completions and deletions at once end as the last event says, versioning ${versioning}`, async () => {
      const lab = await openLab(engine, labBackends(3));
      const other = await lab.another();
      await lab.bucket('b', { copies: 2, durability: 'one', versioning });
      for (let round = 0; round < 6; round++) {
        const key = `k${round}`;
        const contents = Array.from({ length: 4 }, (_, index) => randomBytes(500 + index));
        const upload = await beginUpload(lab, 'b', key);
        const part = await putPart(lab, upload, 1, contents[0]!);
        await Promise.all([
          put(lab, 'b', key, contents[1]!).then(() => remove(other, 'b', key)),
          remove(other, 'b', key).then(() => complete(other, upload, [part])),
          put(other, 'b', key, contents[2]!),
          // A deletion as the end of a chain may be the last of all.
          put(lab, 'b', key, contents[3]!)
            .then(() => remove(lab, 'b', key))
            .then(() => (round % 2 === 0 ? remove(lab, 'b', key) : null)),
        ]);
        const last = await lastEvent(lab, 'b', key);
        const standing = await read(other, 'b', key).catch(s3CodeOf);
        if (last.type !== 'object.created') {
          assert.equal(standing, 'NoSuchKey');
          continue;
        }
        const { etag } = await lab.gateway.objects.stat({ bucket: 'b', key });
        assert.equal(etag, last.etag);
        assert.ok(contents.some((bytes) => bytes.equals(standing as Buffer)));
      }
      await other.gateway.writer.settle();
      await assertClean(lab);
      await other.close();
      await lab.close();
    });
  }
});
