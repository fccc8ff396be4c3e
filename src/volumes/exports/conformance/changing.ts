import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MIB, type Suite, at, isKind } from './suite.ts';

/** `remove`, `resize`, `setQos`, and the laws of all verbs. */
export function changingTests(suite: Suite): void {
  it('removes an export with all that was beneath it, as often as it is asked', async () => {
    const { spec, live } = await suite.make();
    await suite.harness.write(live, 0xd4, 0);
    await suite.remove(spec.exportId);
    assert.equal(await suite.find(spec.exportId), undefined);
    await assert.rejects(suite.harness.reads(live, 0xd4, 0), 'nobody connects to what is gone');
    await suite.remove(spec.exportId);
    await suite.remove('exp-that-never-was');
    const again = await suite.target.add(at(), spec);
    assert.equal(await suite.harness.reads(again, 0xd4, 0), true);
    await suite.remove(spec.exportId);
  });

  it('export still in use: refuses to remove it, and leaves the client alone', async () => {
    const { spec, live } = await suite.make();
    const client = await suite.harness.connect(live);
    try {
      const inUse = isKind('conflict', { reason: 'in_use', export_id: spec.exportId });
      await assert.rejects(suite.remove(spec.exportId), inUse);
      assert.deepEqual(await suite.find(spec.exportId), live);
      assert.equal(await client.canWrite(0xe5, 0), true);
    } finally {
      await client.disconnect();
    }
    await suite.remove(spec.exportId);
    assert.equal(await suite.find(spec.exportId), undefined);
  });

  it('export still in use: by force cuts the client, whose later writes fail', async () => {
    const { spec, live } = await suite.make();
    const client = await suite.harness.connect(live);
    try {
      assert.equal(await client.canWrite(0xe6, 0), true);
      await suite.remove(spec.exportId, true);
      assert.equal(await suite.find(spec.exportId), undefined);
      assert.equal(await client.canWrite(0xe7, 0), false);
    } finally {
      await client.disconnect();
    }
    const again = await suite.target.add(at(), spec);
    assert.equal(await suite.harness.reads(again, 0xe6, 0), true);
    await suite.remove(spec.exportId);
  });

  it('grows image and export, and keeps the bytes', async () => {
    const { spec, live } = await suite.make();
    await suite.harness.write(live, 0xf1, 0);
    const grown = await suite.target.resize(at(), spec.exportId, 6n * MIB);
    assert.equal(grown.sizeBytes, 6n * MIB);
    assert.deepEqual(grown.connection, live.connection);
    assert.equal(await suite.harness.sizeSeen(grown), 6n * MIB);
    assert.equal(await suite.harness.reads(grown, 0xf1, 0), true);
    await suite.harness.write(grown, 0xf2, Number(5n * MIB));
    assert.deepEqual(await suite.target.resize(at(), spec.exportId, 6n * MIB), grown);
    await assert.rejects(suite.target.resize(at(), spec.exportId, 5n * MIB), isKind('invalid'));
    await assert.rejects(suite.target.resize(at(), spec.exportId, 6n * MIB + 1n), isKind('unsupported'));
    assert.equal(await suite.harness.reads(grown, 0xf2, Number(5n * MIB)), true);
    await assert.rejects(suite.target.resize(at(), 'exp-absent', 6n * MIB), isKind('not_found'));
    await suite.remove(spec.exportId);
  });

  it('does not cut a client for a resize', async (t) => {
    if (suite.target.capabilities.resizeInUse) return t.skip('clients see a new size');
    const { spec, live } = await suite.make();
    const client = await suite.harness.connect(live);
    try {
      await assert.rejects(
        suite.target.resize(at(), spec.exportId, 6n * MIB),
        isKind('conflict', { reason: 'in_use' }),
      );
      // The size that it has is no reason to touch anything.
      assert.equal((await suite.target.resize(at(), spec.exportId, 4n * MIB)).sizeBytes, 4n * MIB);
      assert.equal(await client.canWrite(0xf3, 0), true);
    } finally {
      await client.disconnect();
    }
    assert.equal((await suite.target.resize(at(), spec.exportId, 6n * MIB)).sizeBytes, 6n * MIB);
  });

  it('changes limits while clients are connected, and shows them', async (t) => {
    if (!suite.target.capabilities.qos) return t.skip('no limits here');
    const { spec, live } = await suite.make({ qos: { iops: 1000 } });
    assert.deepEqual(live.qos, { iops: 1000 });
    const client = await suite.harness.connect(live);
    try {
      const changed = await suite.target.setQos(at(), spec.exportId, { read_iops: 500, bytes_per_second: 1_000_000 });
      assert.deepEqual(changed.qos, { read_iops: 500, bytes_per_second: 1_000_000 });
      assert.equal(await client.canWrite(0xf4, 0), true);
      assert.deepEqual((await suite.target.setQos(at(), spec.exportId, {})).qos, {});
      // What is added again has the limits of the last wish.
      assert.deepEqual((await suite.target.add(at(), spec)).qos, { iops: 1000 });
    } finally {
      await client.disconnect();
    }
    await assert.rejects(suite.target.setQos(at(), spec.exportId, { iops: -1 }), isKind('invalid'));
    await assert.rejects(suite.target.setQos(at(), 'exp-absent', {}), isKind('not_found'));
  });

  it('does nothing when the deadline has passed already', async () => {
    const { spec, live } = await suite.make();
    const late = { signal: AbortSignal.abort() };
    const other = await suite.wish();
    await assert.rejects(suite.target.add(late, other), isKind('unavailable'));
    await assert.rejects(suite.target.remove(late, spec.exportId, { force: true }), isKind('unavailable'));
    await assert.rejects(suite.target.resize(late, spec.exportId, 8n * MIB), isKind('unavailable'));
    await assert.rejects(suite.target.setQos(late, spec.exportId, { iops: 5 }), isKind('unavailable'));
    await assert.rejects(suite.target.list(late), isKind('unavailable'));
    await assert.rejects(suite.target.health(late.signal), isKind('unavailable'));
    assert.deepEqual(await suite.find(spec.exportId), live);
    assert.equal(await suite.find(other.exportId), undefined);
  });

  it('says that it works', async () => {
    assert.match((await suite.target.health(at().signal)).detail, /\w+/);
  });
}
