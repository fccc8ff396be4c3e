import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MIB, ODD_BYTES, type Suite, at, isKind, newId, newVolume, reading } from './suite.ts';

/** Making, adopting and refusing images. */
export function createTests(suite: Suite): void {
  it('creates an image that carries its owner, and says where it is', async () => {
    const volume = newVolume({ sizeBytes: ODD_BYTES, name: 'Daten für Köln' });
    const facts = await suite.backend.create(at(), volume);
    assert.equal(facts.image, volume.image);
    assert.equal(facts.volumeId, volume.volumeId);
    assert.equal(facts.name, volume.name);
    assert.equal(facts.sizeBytes, ODD_BYTES);
    assert.equal(facts.place, 'live');
    assert.equal(facts.complete, true);
    assert.equal(facts.attachment, null);
    assert.deepEqual(facts.watchers, []);
    assert.ok(facts.location.includes(volume.image));
    assert.deepEqual(await suite.backend.inspect(reading(), volume.image), facts);
  });

  it('keeps sizes exact to the byte', async () => {
    for (const sizeBytes of [1n, 511n, 4097n, MIB - 1n, MIB + 1n, (1n << 32n) + 1n]) {
      const facts = await suite.make({ sizeBytes });
      assert.equal(facts.sizeBytes, sizeBytes);
      assert.equal((await suite.mustInspect(facts.image)).sizeBytes, sizeBytes);
    }
  });

  it('keeps the largest size exact, or refuses it: it is never rounded', async (t) => {
    const { maxSizeBytes } = suite.harness;
    const volume = newVolume({ sizeBytes: maxSizeBytes ?? (1n << 53n) + 1n });
    try {
      const facts = await suite.backend.create(at(), volume);
      assert.equal(facts.sizeBytes, volume.sizeBytes);
      assert.deepEqual(await suite.backend.inspect(reading(), volume.image), facts);
      await suite.backend.purge(at(), volume.image);
    } catch (error) {
      if (maxSizeBytes !== undefined || error instanceof assert.AssertionError) throw error;
      isKind('invalid')(error);
      assert.equal(await suite.backend.inspect(reading(), volume.image), null);
      t.diagnostic(`the backend cannot hold ${volume.sizeBytes} bytes: ${(error as Error).message}`);
    }
  });

  it('adopts its own image when the create is repeated (1a.7)', async () => {
    const volume = newVolume({ sizeBytes: ODD_BYTES });
    const first = await suite.backend.create(at(), volume);
    assert.deepEqual(await suite.backend.create(at(), volume), first);
    assert.deepEqual(await (await suite.harness.reopen()).create(at(2), volume), first);
  });

  it('completes its own image that is smaller than asked for', async () => {
    const volume = newVolume({ sizeBytes: MIB });
    await suite.backend.create(at(), volume);
    const facts = await suite.backend.create(at(), { ...volume, sizeBytes: ODD_BYTES });
    assert.equal(facts.sizeBytes, ODD_BYTES);
    assert.equal(facts.complete, true);
    assert.deepEqual(await suite.mustInspect(volume.image), facts);
  });

  it('never shrinks its own image that is larger than asked for', async () => {
    const volume = newVolume({ sizeBytes: ODD_BYTES });
    const made = await suite.backend.create(at(), volume);
    await assert.rejects(suite.backend.create(at(), { ...volume, sizeBytes: MIB }), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(volume.image), made);
  });

  it('refuses an image that belongs to another volume', async () => {
    const made = await suite.make();
    const other = { ...newVolume(), image: made.image };
    await assert.rejects(suite.backend.create(at(), other), isKind('conflict'));
    await assert.rejects(suite.backend.create(at(9), { ...other, sizeBytes: ODD_BYTES }), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(made.image), made);
    assert.deepEqual(
      await suite.backend.create(at(1), newVolume({ ...made, volumeId: made.volumeId!, name: made.name! })),
      made,
    );
  });

  it('refuses an untagged image of somebody', async () => {
    const image = `foreign-${newId()}`;
    await suite.harness.putForeignImage(image, MIB);
    const before = await suite.mustInspect(image);
    await assert.rejects(suite.backend.create(at(), newVolume({ image })), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(image), before);
    assert.equal(before.volumeId, null);
  });

  it('takes an untagged image of its very own name for its own cut-off create', async () => {
    const volume = newVolume();
    await suite.harness.putForeignImage(volume.image, volume.sizeBytes);
    const facts = await suite.backend.create(at(), volume);
    assert.equal(facts.volumeId, volume.volumeId);
    assert.equal(facts.complete, true);
    assert.deepEqual(await suite.mustInspect(volume.image), facts);
  });

  it('puts its tag on a foreign image, once', async () => {
    const [image, tag] = [`foreign-${newId()}`, { volumeId: newId(), name: 'imported' }];
    await suite.harness.putForeignImage(image, ODD_BYTES);
    const before = await suite.mustInspect(image);
    assert.deepEqual([before.volumeId, before.name, before.sizeBytes], [null, null, ODD_BYTES]);
    assert.equal(before.complete, true);
    const adopted = await suite.backend.adopt(at(), image, tag);
    assert.deepEqual(adopted, { ...before, ...tag });
    assert.deepEqual(await suite.backend.adopt(at(), image, tag), adopted);
    await assert.rejects(suite.backend.adopt(at(), image, { ...tag, volumeId: newId() }), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(image), adopted);
    await assert.rejects(suite.backend.adopt(at(), newId(), tag), isKind('not_found'));
  });

  it('refuses a parameter that it does not know, by its name, and makes nothing', async () => {
    const volume = newVolume({ parameters: { colour: 'blue' } });
    await assert.rejects(suite.backend.create(at(), volume), isKind('invalid', { field: 'colour' }));
    assert.equal(await suite.backend.inspect(reading(), volume.image), null);
    assert.equal((await suite.backend.create(at(), { ...volume, parameters: {} })).complete, true);
  });

  it('grows, repeats a growth, and never shrinks', async () => {
    const made = await suite.make({ sizeBytes: MIB + 1n });
    const grown = await suite.backend.resize(at(), made.image, ODD_BYTES);
    assert.deepEqual(grown, { ...made, sizeBytes: ODD_BYTES });
    assert.deepEqual(await suite.backend.resize(at(), made.image, ODD_BYTES), grown);
    await assert.rejects(suite.backend.resize(at(), made.image, ODD_BYTES - 1n), isKind('invalid'));
    assert.deepEqual(await suite.mustInspect(made.image), grown);
    await assert.rejects(suite.backend.resize(at(), newId(), MIB), isKind('not_found'));
  });

  it('keeps limits, replaces them and removes them', async (t) => {
    if (!suite.needs(t, 'qos')) return;
    const made = await suite.make({ qos: { iops: 500, write_bytes_per_second: 1_000_000 } });
    await suite.backend.setQos(at(), made.image, { read_iops: 7 });
    await suite.backend.setQos(at(), made.image, {});
    await suite.backend.setQos(at(), made.image, {});
    assert.deepEqual(await suite.mustInspect(made.image), made);
    await assert.rejects(suite.backend.setQos(at(), newId(), {}), isKind('not_found'));
  });
}
