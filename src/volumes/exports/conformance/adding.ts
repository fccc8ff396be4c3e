import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import type { ExportSpec } from '../target.ts';
import { MIB, type Suite, at, isKind } from './suite.ts';

/** `add`, `list`, and what they refuse. */
export function addingTests(suite: Suite): void {
  it('serves the bytes of the image, and says in its names whose they are', async () => {
    const { spec, live } = await suite.make({ generation: 7 });
    assert.equal(await suite.harness.sizeSeen(live), 4n * MIB);
    await suite.harness.write(live, 0xa1, 65_536);
    assert.equal(await suite.harness.reads(live, 0xa1, 65_536), true);
    assert.equal(await suite.harness.reads(live, 0, 0), true);
    const { exportId, volumeId, generation, source, readOnly, qos, allowedHosts } = spec;
    const { connection, ...facts } = live;
    const expected = { exportId, volumeId, generation, source, readOnly, qos, allowedHosts, sizeBytes: 4n * MIB };
    assert.deepEqual(facts, { ...expected, isTls: false, isClosing: false, isStale: false });
    assert.match(connection.name, new RegExp(volumeId));
    assert.ok(connection.port > 0 && connection.commands.length > 0);
    assert.deepEqual(await suite.find(spec.exportId), live);
  });

  it('adds once, however often and however concurrently it is asked', async () => {
    const spec = await suite.wish();
    const lives = await Promise.all(Array.from({ length: 4 }, () => suite.target.add(at(), spec)));
    lives.push(await suite.target.add(at(), spec));
    for (const live of lives) assert.deepEqual(live, lives[0]);
    const listed = (await suite.target.list(at())).filter(({ volumeId }) => volumeId === spec.volumeId);
    assert.deepEqual(listed, [lives[0]]);
  });

  it('same name other image: refuses an id that is in use for anything else, and changes nothing', async () => {
    const { spec, live } = await suite.make();
    await suite.harness.write(live, 0xb2, 0);
    const others: Partial<ExportSpec>[] = [
      { source: await suite.harness.newImage(4n * MIB) },
      { volumeId: `vol-${randomUUID()}` },
      { generation: spec.generation + 1 },
      { readOnly: true },
    ];
    for (const other of others) {
      const refused = isKind('conflict', { reason: 'other_export', differs: Object.keys(other) });
      await assert.rejects(suite.target.add(at(), { ...spec, ...other }), refused);
    }
    assert.deepEqual(await suite.find(spec.exportId), live);
    assert.equal(await suite.harness.reads(live, 0xb2, 0), true);
  });

  it('1b.7 stale export: a new attachment never gets the export of an earlier one', async () => {
    const { spec, live } = await suite.make();
    const next = { ...spec, exportId: `exp-${randomUUID()}`, generation: spec.generation + 1 };
    const stale = { reason: 'stale_export', export_id: spec.exportId, generation: spec.generation };
    await assert.rejects(suite.target.add(at(), next), isKind('conflict', stale));
    // Nor an image that another volume still exports, or a volume that was moved to another image.
    await assert.rejects(suite.target.add(at(), { ...next, volumeId: 'vol-other' }), isKind('conflict', stale));
    const moved = { ...next, source: await suite.harness.newImage(4n * MIB) };
    await assert.rejects(suite.target.add(at(), moved), isKind('conflict', stale));
    await suite.remove(spec.exportId);
    const second = await suite.target.add(at(), next);
    assert.notEqual(second.connection.name, live.connection.name);
    await assert.rejects(suite.harness.reads(live, 0, 0), 'the address of the first attachment reaches nothing');
    assert.equal(await suite.harness.reads(second, 0, 0), true);
  });

  it('gives a volume to one of two exports that want it at once', async () => {
    const spec = await suite.wish();
    const wishes = [spec, { ...spec, exportId: `exp-${randomUUID()}` }];
    const results = await Promise.allSettled(wishes.map((wish) => suite.target.add(at(), wish)));
    const refused = results.filter((result) => result.status === 'rejected');
    assert.equal(refused.length, 1);
    isKind('conflict', { reason: 'stale_export' })(refused[0]?.reason);
    assert.equal((await suite.target.list(at())).filter(({ volumeId }) => volumeId === spec.volumeId).length, 1);
  });

  it('takes hosts where it knows them apart, at least one, and refuses them elsewhere', async () => {
    const spec = await suite.wish();
    const host = 'nqn.2014-08.org.nvmexpress:uuid:00000000-0000-4000-8000-00000000000a';
    for (const wrong of [['nqn.x/../y'], ['nqn.x\ny'], [host, host], ['sda']]) {
      await assert.rejects(suite.target.add(at(), { ...spec, allowedHosts: wrong }), isKind('invalid'));
    }
    if (suite.target.capabilities.hosts) {
      await assert.rejects(suite.target.add(at(), { ...spec, allowedHosts: [] }), isKind('invalid'));
      await suite.target.add(at(), spec);
      const refused = isKind('conflict', { reason: 'other_export', differs: ['allowedHosts'] });
      await assert.rejects(suite.target.add(at(), { ...spec, allowedHosts: [host] }), refused);
      await suite.remove(spec.exportId);
    } else {
      await assert.rejects(suite.target.add(at(), { ...spec, allowedHosts: [host] }), isKind('unsupported'));
    }
    assert.equal(await suite.find(spec.exportId), undefined);
  });

  it('lets nobody write what is exported read-only, or says that it cannot', async () => {
    if (!suite.target.capabilities.readOnly) {
      const spec = await suite.wish({ readOnly: true });
      await assert.rejects(suite.target.add(at(), spec), isKind('unsupported'));
      assert.equal(await suite.find(spec.exportId), undefined);
      return;
    }
    const { spec, live } = await suite.make({ readOnly: true });
    assert.equal(live.readOnly, true);
    assert.equal(await suite.harness.reads(live, 0, 0), true);
    await assert.rejects(suite.harness.write(live, 0xc3, 0));
    assert.equal(await suite.harness.reads(live, 0, 0), true);
    await suite.remove(spec.exportId);
  });

  it('says that an absent image is absent, and leaves nothing behind', async () => {
    const spec = await suite.wish();
    const { source } = spec;
    const absent =
      source.kind === 'file' ? { ...source, path: `${source.path}.no` } : { ...source, image: `${source.image}.no` };
    await assert.rejects(suite.target.add(at(), { ...spec, source: absent }), isKind('not_found'));
    assert.equal(await suite.find(spec.exportId), undefined);
    assert.equal((await suite.target.add(at(), spec)).exportId, spec.exportId);
  });

  it('refuses what cannot be a name, a path or a limit', async () => {
    const spec = await suite.wish();
    const wrong: Partial<ExportSpec>[] = [
      { exportId: '' },
      { exportId: 'a.b' },
      { volumeId: 'a/b' },
      { volumeId: 'x'.repeat(101) },
      { generation: -1 },
      { generation: 1.5 },
      { source: { kind: 'file', path: 'relative.img' } },
      { source: { kind: 'rbd', conf: '/ceph.conf', pool: 'rbd', image: 'a@b' } },
      { qos: { iops: 0 } },
      { qos: { iops: 1.5 } },
    ];
    for (const each of wrong) {
      await assert.rejects(suite.target.add(at(), { ...spec, ...each }), isKind('invalid'), JSON.stringify(each));
    }
    assert.equal(await suite.find(spec.exportId), undefined);
  });

  it('keeps ten exports apart', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => suite.make({}, MIB)));
    await Promise.all(made.map(({ live }, index) => suite.harness.write(live, index + 1, 0)));
    const isOwn = await Promise.all(made.map(({ live }, index) => suite.harness.reads(live, index + 1, 0)));
    assert.deepEqual(
      isOwn,
      made.map(() => true),
    );
    const ids = made.map(({ spec }) => spec.exportId).toSorted();
    const listed = (await suite.target.list(at())).map(({ exportId }) => exportId);
    assert.deepEqual(
      listed.filter((exportId) => ids.includes(exportId)),
      ids,
    );
    await Promise.all(ids.map((exportId) => suite.remove(exportId)));
    const left = (await suite.target.list(at())).filter(({ exportId }) => ids.includes(exportId));
    assert.deepEqual(left, []);
  });
}
