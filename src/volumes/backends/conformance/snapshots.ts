import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MIB, ODD_BYTES, type Suite, at, isKind, newId, newVolume, reading } from './suite.ts';

/** Snapshots, reverts and clones. */
export function snapshotTests(suite: Suite): void {
  it('takes snapshots, lists them, removes them', async (t) => {
    if (!suite.needs(t, 'snapshots')) return;
    const { image } = await suite.make({ sizeBytes: ODD_BYTES });
    assert.deepEqual(await suite.snapshots(image), []);
    const first = await suite.backend.createSnapshot(at(), image, 's1');
    assert.deepEqual(first, { snapshot: 's1', sizeBytes: ODD_BYTES });
    await suite.backend.resize(at(), image, ODD_BYTES + MIB);
    const second = await suite.backend.createSnapshot(at(), image, 'before.upgrade_2-1');
    assert.equal(second.sizeBytes, ODD_BYTES + MIB);
    assert.deepEqual(await suite.snapshots(image), [second, first]);
    await suite.backend.deleteSnapshot(at(), image, 's1');
    assert.deepEqual(await suite.snapshots(image), [second]);
  });

  it('takes an existing snapshot for success and leaves it as it is', async (t) => {
    if (!suite.needs(t, 'snapshots')) return;
    const { image } = await suite.make({ sizeBytes: MIB });
    const first = await suite.backend.createSnapshot(at(), image, 's1');
    await suite.backend.resize(at(), image, ODD_BYTES);
    assert.deepEqual(await suite.backend.createSnapshot(at(), image, 's1'), first);
    assert.deepEqual(await suite.snapshots(image), [first]);
  });

  it('takes the removal of an absent snapshot, and of one of an absent image, for success', async (t) => {
    if (!suite.needs(t, 'snapshots')) return;
    const { image } = await suite.make();
    await suite.backend.deleteSnapshot(at(), image, 'never');
    await suite.backend.deleteSnapshot(at(), newId(), 'never');
  });

  it('says that an absent image has no snapshots to take', async (t) => {
    if (!suite.needs(t, 'snapshots')) return;
    await assert.rejects(suite.backend.createSnapshot(at(), newId(), 's1'), isKind('not_found'));
    await assert.rejects(suite.backend.revert(at(), newId(), 's1'), isKind('not_found'));
  });

  it('reverts to the size of the snapshot, and says so when there is none', async (t) => {
    if (!suite.needs(t, 'snapshots')) return;
    const made = await suite.makeWithSnapshot({ sizeBytes: MIB + 7n });
    await suite.backend.resize(at(), made.image, ODD_BYTES);
    await assert.rejects(suite.backend.revert(at(), made.image, 'never'), isKind('not_found'));
    assert.equal((await suite.mustInspect(made.image)).sizeBytes, ODD_BYTES);
    const reverted = await suite.backend.revert(at(), made.image, 's1');
    assert.deepEqual(reverted, made);
    assert.deepEqual(await suite.mustInspect(made.image), made);
    assert.deepEqual(await suite.snapshots(made.image), [{ snapshot: 's1', sizeBytes: MIB + 7n }]);
  });

  it('clones a snapshot, at its size or larger', async (t) => {
    if (!suite.needs(t, 'clone')) return;
    const parent = await suite.makeWithSnapshot({ sizeBytes: MIB + 7n });
    await suite.backend.resize(at(), parent.image, ODD_BYTES);
    const source = { image: parent.image, snapshot: 's1' };
    for (const sizeBytes of [MIB + 7n, 2n * ODD_BYTES]) {
      const volume = newVolume({ source, sizeBytes });
      const facts = await suite.backend.create(at(), volume);
      assert.deepEqual([facts.volumeId, facts.sizeBytes, facts.complete], [volume.volumeId, sizeBytes, true]);
      assert.equal(facts.attachment, null);
      assert.deepEqual(await suite.mustInspect(volume.image), facts);
      assert.deepEqual(await suite.snapshots(volume.image), []);
    }
  });

  it('refuses a clone of nothing, or smaller than its snapshot, and leaves nothing behind', async (t) => {
    if (!suite.needs(t, 'clone')) return;
    const parent = await suite.makeWithSnapshot({ sizeBytes: MIB + 7n });
    const small = newVolume({ source: { image: parent.image, snapshot: 's1' }, sizeBytes: MIB });
    await assert.rejects(suite.backend.create(at(), small), isKind('invalid'));
    const unknown = newVolume({ source: { image: parent.image, snapshot: 'never' }, sizeBytes: ODD_BYTES });
    await assert.rejects(suite.backend.create(at(), unknown), isKind('not_found'));
    const orphan = newVolume({ source: { image: newId(), snapshot: 's1' }, sizeBytes: ODD_BYTES });
    await assert.rejects(suite.backend.create(at(), orphan), isKind('not_found'));
    for (const { image } of [small, unknown, orphan]) assert.equal(await suite.backend.inspect(reading(), image), null);
  });

  it('keeps a clone whole when its parent is purged, and adopts it without its source', async (t) => {
    if (!suite.needs(t, 'clone')) return;
    const parent = await suite.makeWithSnapshot({ sizeBytes: ODD_BYTES });
    const volume = newVolume({ source: { image: parent.image, snapshot: 's1' }, sizeBytes: ODD_BYTES });
    const clone = await suite.backend.create(at(), volume);
    await suite.backend.purge(at(), parent.image);
    assert.equal(await suite.backend.inspect(reading(), parent.image), null);
    assert.deepEqual(await suite.mustInspect(volume.image), clone);
    assert.deepEqual(await suite.backend.create(at(), volume), clone);
    const grown = await suite.backend.resize(at(), volume.image, ODD_BYTES + 1n);
    assert.equal(grown.sizeBytes, ODD_BYTES + 1n);
  });

  it('keeps a clone whole when its snapshot is deleted', async (t) => {
    if (!suite.needs(t, 'clone')) return;
    const parent = await suite.makeWithSnapshot();
    const clone = await suite.make({ source: { image: parent.image, snapshot: 's1' } });
    await suite.backend.deleteSnapshot(at(), parent.image, 's1');
    assert.deepEqual(await suite.snapshots(parent.image), []);
    assert.deepEqual(await suite.mustInspect(clone.image), clone);
  });
}
