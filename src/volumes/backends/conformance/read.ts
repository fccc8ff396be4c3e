import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ImageFacts } from '../backend.ts';
import {
  MIB,
  ODD_BYTES,
  type Suite,
  at,
  byteOrder,
  isKind,
  newAttachment,
  newId,
  newVolume,
  reading,
} from './suite.ts';

const PAGES_MAX = 1000;

/** Health, inspection and lists: the truth, from the real system. */
export function readTests(suite: Suite): void {
  it('is well, in a sentence', async () => {
    const health = await suite.backend.health(reading().signal);
    assert.match(health.detail, /\S/);
    if (health.freeBytes !== undefined) assert.equal(typeof health.freeBytes, 'bigint');
    if (health.freeBytes !== undefined && health.totalBytes !== undefined) {
      assert.ok(health.freeBytes >= 0n && health.freeBytes <= health.totalBytes);
    }
  });

  it('answers null for an absent image, not an error (1a.2)', async () => {
    assert.equal(await suite.backend.inspect(reading(), newId()), null);
    const made = await suite.make();
    await suite.backend.purge(at(), made.image);
    assert.equal(await suite.backend.inspect(reading(), made.image), null);
    assert.equal(await (await suite.harness.reopen()).inspect(reading(), made.image), null);
  });

  it('knows everything after a restart, with nothing in memory (1a.1)', async () => {
    const { capabilities } = suite.backend;
    const made = await suite.make({ sizeBytes: ODD_BYTES, name: 'kept' });
    if (capabilities.snapshots) await suite.backend.createSnapshot(at(), made.image, 's1');
    const mode = suite.harness.hasReadOnly === false ? 'rw' : 'ro';
    const attachment = newAttachment({ generation: 7, mode });
    const attached = await suite.backend.attach(at(), made.image, attachment);
    const restarted = await suite.harness.reopen();
    assert.deepEqual(await restarted.inspect(reading(), made.image), attached);
    if (capabilities.snapshots) {
      const snapshots = await restarted.listSnapshots(reading(), made.image);
      assert.deepEqual(snapshots, [{ snapshot: 's1', sizeBytes: ODD_BYTES }]);
    }
    const { attachmentId, generation } = attachment;
    await restarted.detach(at(), made.image, { attachmentId, generation, force: false });
    assert.equal((await suite.mustInspect(made.image)).attachment, null);
    await restarted.purge(at(), made.image);
    assert.equal(await suite.backend.inspect(reading(), made.image), null);
  });

  it('sees images that another made, and their owner', async () => {
    const restarted = await suite.harness.reopen();
    const made = await suite.make();
    assert.deepEqual(await restarted.inspect(reading(), made.image), made);
  });

  it('surveys many images as it inspects each, without who has it open', async (t) => {
    const { backend } = suite;
    if (backend.survey === undefined) return t.skip('the backend has no survey');
    const untagged = `foreign-${newId()}`;
    await suite.harness.putForeignImage(untagged, ODD_BYTES);
    const attached = await suite.make({ sizeBytes: ODD_BYTES, name: 'Größe' });
    await suite.backend.attach(at(), attached.image, newAttachment());
    const images = [attached.image, newId(), untagged];
    if (backend.capabilities.trash) {
      const { image } = await suite.make();
      await backend.trash(at(), image);
      images.push(image);
    }
    if (backend.capabilities.clone) {
      const source = await suite.makeWithSnapshot();
      images.push((await suite.make({ source: { image: source.image, snapshot: 's1' } })).image);
    }
    images.push((await suite.make()).image, attached.image);
    const inspected = await Promise.all(images.map((image) => backend.inspect(reading(), image)));
    const expected = inspected.map((facts) => facts && { ...facts, watchers: undefined });
    const surveyed = await backend.survey(reading(), images);
    assert.deepEqual(
      surveyed.map((facts) => facts && { ...facts, watchers: undefined }),
      expected,
    );
    assert.deepEqual(await backend.survey(reading(), []), []);
    await assert.rejects(backend.survey({ signal: AbortSignal.abort() }, images), isKind('unavailable'));
  });

  it('lists live images in byte order, page by page, none twice and none left out', async () => {
    // Upper case sorts before lower case in bytes, though not in most languages.
    const names = ['Za', 'aB', 'ab', 'a_', 'a-', 'a.1', 'a0', 'b'].map((prefix) => `${prefix}-${newId()}`);
    for (const image of names) await suite.backend.create(at(), newVolume({ image }));
    const foreign = `foreign-${newId()}`;
    await suite.harness.putForeignImage(foreign, ODD_BYTES);
    const expected = [...names, foreign].sort(byteOrder);
    for (const limit of [1, 3, 1000]) {
      const all = await listAll(suite, limit);
      const listed = all.map((facts) => facts.image);
      assert.deepEqual(listed, [...new Set(listed)].sort(byteOrder), 'in byte order, none twice');
      assert.deepEqual(
        listed.filter((image) => expected.includes(image)),
        expected,
      );
      const ofForeign = all.find((facts) => facts.image === foreign);
      assert.deepEqual([ofForeign?.volumeId, ofForeign?.sizeBytes], [null, ODD_BYTES]);
    }
    const [one] = await suite.backend.list(reading(), { after: expected[0]!, limit: 1 });
    assert.ok(one !== undefined);
    assert.deepEqual(one, await suite.mustInspect(one.image));
    for (const image of names) await suite.backend.purge(at(), image);
  });

  it('lists from after a name that is itself absent, and nothing after the last', async () => {
    const made = await suite.make();
    const [next] = await suite.backend.list(reading(), { after: made.image.slice(0, -1), limit: 1 });
    assert.equal(next?.image, made.image);
    assert.deepEqual(await suite.backend.list(reading(), { after: 'zzzz', limit: 10 }), []);
  });

  it('does not list what is in the trash, and inspects it', async (t) => {
    if (!suite.needs(t, 'trash')) return;
    const made = await suite.make({ sizeBytes: MIB + 3n });
    await suite.backend.trash(at(), made.image);
    assert.ok(!(await listAll(suite, 1000)).some((facts) => facts.image === made.image));
    const trashed = await suite.mustInspect(made.image);
    assert.deepEqual({ ...trashed, location: made.location }, { ...made, place: 'trash' });
  });
}

async function listAll(suite: Suite, limit: number): Promise<readonly ImageFacts[]> {
  const all: ImageFacts[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const images = await suite.backend.list(reading(), { ...(after === undefined ? {} : { after }), limit });
    assert.ok(images.length <= limit, 'at most the limit');
    all.push(...images);
    if (images.length < limit) return all;
    after = images.at(-1)!.image;
  }
  throw new Error(`the list does not end after ${PAGES_MAX} pages`);
}
