import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MIB, ODD_BYTES, type Suite, at, isKind, newAttachment, newId, newVolume, reading } from './suite.ts';

/** Removal, restorable and for good. */
export function trashTests(suite: Suite): void {
  it('trashes and restores an image with its snapshots, each as often as asked', async (t) => {
    if (!suite.needs(t, 'trash') || !suite.needs(t, 'snapshots')) return;
    const made = await suite.makeWithSnapshot({ sizeBytes: ODD_BYTES });
    await suite.backend.trash(at(), made.image);
    await suite.backend.trash(at(), made.image);
    assert.equal((await suite.mustInspect(made.image)).place, 'trash');
    const restored = await suite.backend.restore(at(), made.image);
    assert.deepEqual(restored, made);
    assert.deepEqual(await suite.backend.restore(at(), made.image), made);
    assert.deepEqual(await suite.mustInspect(made.image), made);
    assert.deepEqual(await suite.snapshots(made.image), [{ snapshot: 's1', sizeBytes: ODD_BYTES }]);
    assert.deepEqual(await suite.backend.revert(at(), made.image, 's1'), made);
  });

  it('takes the trashing of an absent image for success, and cannot restore it', async (t) => {
    if (!suite.needs(t, 'trash')) return;
    await suite.backend.trash(at(), newId());
    await assert.rejects(suite.backend.restore(at(), newId()), isKind('not_found'));
  });

  it('refuses to change an image while it is in the trash', async (t) => {
    if (!suite.needs(t, 'trash')) return;
    const made = await suite.make();
    await suite.backend.trash(at(), made.image);
    const trashed = await suite.mustInspect(made.image);
    await assert.rejects(suite.backend.resize(at(), made.image, ODD_BYTES), isKind('conflict'));
    await assert.rejects(suite.backend.attach(at(), made.image, newAttachment()), isKind('conflict'));
    const again = newVolume({ image: made.image, volumeId: made.volumeId! });
    await assert.rejects(suite.backend.create(at(), again), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(made.image), trashed);
  });

  it('purges an image from the trash, with its snapshots, as often as asked', async (t) => {
    if (!suite.needs(t, 'trash') || !suite.needs(t, 'snapshots')) return;
    const made = await suite.makeWithSnapshot();
    await suite.backend.trash(at(), made.image);
    await suite.backend.purge(at(), made.image);
    assert.equal(await suite.backend.inspect(reading(), made.image), null);
    await suite.backend.purge(at(), made.image);
    await assert.rejects(suite.backend.restore(at(), made.image), isKind('not_found'));
  });

  it('purges a live image with its snapshots, and an absent one', async () => {
    const made = suite.backend.capabilities.snapshots ? await suite.makeWithSnapshot() : await suite.make();
    await suite.backend.purge(at(), made.image);
    assert.equal(await suite.backend.inspect(reading(), made.image), null);
    await suite.backend.purge(at(), made.image);
    await suite.backend.purge(at(), newId());
  });

  it('makes an image of a purged name anew, without anything of the old one', async () => {
    const volume = newVolume({ sizeBytes: ODD_BYTES });
    await suite.backend.create(at(5), volume);
    if (suite.backend.capabilities.snapshots) await suite.backend.createSnapshot(at(5), volume.image, 's1');
    await suite.backend.attach(at(5), volume.image, newAttachment());
    await suite.backend.purge(at(5), volume.image);
    const other = newVolume({ image: volume.image, sizeBytes: MIB });
    const facts = await suite.backend.create(at(1), other);
    assert.deepEqual([facts.volumeId, facts.sizeBytes, facts.attachment], [other.volumeId, MIB, null]);
    if (suite.backend.capabilities.snapshots) assert.deepEqual(await suite.snapshots(volume.image), []);
  });

  it('purges a foreign image, and trashes and restores one', async () => {
    const image = `foreign-${newId()}`;
    await suite.harness.putForeignImage(image, ODD_BYTES);
    const before = await suite.mustInspect(image);
    if (suite.backend.capabilities.trash) {
      await suite.backend.trash(at(), image);
      assert.deepEqual(await suite.backend.restore(at(), image), before);
    }
    await suite.backend.purge(at(), image);
    assert.equal(await suite.backend.inspect(reading(), image), null);
  });
}
