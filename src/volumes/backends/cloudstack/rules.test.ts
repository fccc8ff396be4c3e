import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GIB } from '../../../../test/support/cloudstack/world.ts';
import { until } from '../../../../test/support/wait.ts';
import { at, isKind, newAttachment, newId, reading } from '../conformance/suite.ts';
import { newGibVolume, startBench } from './testkit.ts';

describe('a root disk', () => {
  it('is attached as device 0 to a stopped VM, and stays an image of ours (apache/cloudstack #6518)', async () => {
    await using bench = await startBench();
    const { image, ...made } = await bench.backend.create(at(), newGibVolume());
    const vm = bench.simulator.world.addVm({ state: 'Stopped' });
    const attachment = newAttachment({ nodeId: vm.id, device: 'root' });
    const facts = await bench.backend.attach(at(), image, attachment);
    const shown = facts.details!;
    assert.deepEqual(facts, { image, ...made, attachment, details: shown });
    assert.deepEqual([shown['type'], shown['device_id'], shown['vm_id'], shown['state']], ['ROOT', 0, vm.id, 'Ready']);
    const volume = bench.simulator.world.volumeNamed(image);
    assert.deepEqual([volume.deviceId, volume.type], [0, 'ROOT']);
    assert.deepEqual(await bench.backend.attach(at(), image, attachment), facts);
    assert.deepEqual(await bench.backend.list(reading(), { limit: 10 }), [facts]);
    const other = await bench.backend.create(at(), newGibVolume());
    await assert.rejects(
      bench.backend.attach(at(), other.image, newAttachment({ nodeId: vm.id, device: 'root' })),
      isKind('conflict', { cloudstack_message: 'Vm already has root volume attached to it' }),
    );
  });

  it('is not attached to a running VM, nor taken off one', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const vm = bench.simulator.world.addVm({ state: 'Running' });
    const attachment = newAttachment({ nodeId: vm.id, device: 'root' });
    await assert.rejects(bench.backend.attach(at(), image, attachment), isKind('conflict', { vm_state: 'Running' }));
    assert.equal(bench.simulator.count('attachVolume'), 0);
    vm.state = 'Stopped';
    await bench.backend.attach(at(), image, attachment);
    vm.state = 'Running';
    const { attachmentId, generation } = attachment;
    const text = 'Root volume detach can happen only when vm is in states: Stopped or Destroyed';
    await assert.rejects(
      bench.backend.detach(at(), image, { attachmentId, generation, force: false }),
      isKind('conflict', { cloudstack_message: text }),
    );
    assert.deepEqual((await bench.backend.inspect(reading(), image))?.attachment, attachment);
  });

  it('of a VM that Holdfast has nothing to do with is no image', async () => {
    await using bench = await startBench();
    const vm = bench.newVm();
    const root = { name: 'ROOT-7', sizeBytes: GIB, state: 'Ready', type: 'ROOT', vmId: vm, deviceId: 0 } as const;
    bench.simulator.world.addVolume(root);
    assert.deepEqual(await bench.backend.list(reading(), { limit: 10 }), []);
  });
});

describe('CloudStack says no', () => {
  const cases = [
    ['Please specify a VM that is either running or stopped.', { state: 'Starting' }],
    [
      'The specified VM already has the maximum number of data disks (0) attached. Please specify another VM.',
      { maxDataDisks: 0 },
    ],
  ] as const;
  for (const [text, vm] of cases) {
    it(`"${text}": passed through, and no trace of the attach is left`, async () => {
      await using bench = await startBench();
      const made = await bench.backend.create(at(), newGibVolume());
      const { id } = bench.simulator.world.addVm(vm);
      await assert.rejects(
        bench.backend.attach(at(), made.image, newAttachment({ nodeId: id })),
        isKind('conflict', { http_status: 422, cloudstack_error_code: 431, cloudstack_message: text }),
      );
      assert.deepEqual(await bench.backend.inspect(reading(), made.image), made);
      const tags = [...bench.simulator.world.volumeNamed(made.image).tags.keys()];
      assert.deepEqual(tags.toSorted(), ['holdfast-fence-1', 'holdfast-name', 'holdfast-volume-id']);
    });
  }

  it('to a VM that it does not know', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    await assert.rejects(
      bench.backend.attach(at(), image, newAttachment({ nodeId: newId() })),
      isKind('not_found', { cloudstack_error_code: 431, cloudstack_cs_error_code: 9999 }),
    );
  });

  it('to a fixed offering', async () => {
    await using bench = await startBench();
    const fixed = bench.reopen({ diskOfferingId: bench.simulator.world.fixedOffering.id });
    await assert.rejects(fixed.health(reading().signal), isKind('unavailable'));
    await assert.rejects(fixed.create(at(), newGibVolume()), isKind('conflict', { cloudstack_error_code: 431 }));
    await assert.rejects(bench.reopen({ zoneId: newId() }).health(reading().signal), isKind('unavailable'));
    await assert.rejects(bench.reopen({ secretKey: 'wrong' }).health(reading().signal), isKind('unavailable'));
    assert.match((await bench.backend.health(reading().signal)).detail, /zone zone-1/);
  });
});

describe('sizes', () => {
  it('that are no whole GiB are refused before anything is done', async () => {
    await using bench = await startBench();
    const odd = newGibVolume({ sizeBytes: 2n * GIB + 1n });
    await assert.rejects(bench.backend.create(at(), odd), isKind('invalid'));
    assert.equal(bench.simulator.count('createVolume'), 0);
    const { image } = await bench.backend.create(at(), newGibVolume());
    await assert.rejects(bench.backend.resize(at(), image, odd.sizeBytes), isKind('invalid'));
    assert.equal(bench.simulator.count('resizeVolume'), 0);
  });

  it('of volumes that others made are told to the byte, whatever they are', async () => {
    await using bench = await startBench();
    const sizeBytes = (1n << 62n) + 512n;
    bench.simulator.world.addVolume({ name: 'template-disk', sizeBytes, state: 'Ready' });
    assert.equal((await bench.backend.inspect(reading(), 'template-disk'))?.sizeBytes, sizeBytes);
    const tag = { volumeId: newId(), name: 'imported' };
    assert.equal((await bench.backend.adopt(at(), 'template-disk', tag)).sizeBytes, sizeBytes);
    assert.equal((await bench.backend.resize(at(), 'template-disk', sizeBytes)).sizeBytes, sizeBytes);
  });
});

describe('names', () => {
  it("that several volumes have are one volume's; the others are known by their ids", async () => {
    await using bench = await startBench();
    const { world } = bench.simulator;
    // The oldest, and of another case, to which the database has no regard.
    world.addVolume({ name: 'DATA', sizeBytes: 7n * GIB, state: 'Ready' });
    for (let others = 0; others < 3; others++) world.addVm();
    const first = world.addVolume({ name: 'data', sizeBytes: GIB, state: 'Ready' });
    // CloudStack tells ages in seconds, and these two shall have different ones.
    for (let others = 0; others < 3; others++) world.addVm();
    const second = world.addVolume({ name: 'data', sizeBytes: 2n * GIB, state: 'Ready' });
    assert.equal((await bench.backend.inspect(reading(), 'data'))?.sizeBytes, first.sizeBytes);
    assert.equal((await bench.backend.inspect(reading(), second.id))?.sizeBytes, second.sizeBytes);
    const listed = await bench.backend.list(reading(), { limit: 10 });
    assert.deepEqual(new Set(listed.map(({ image }) => image)), new Set(['DATA', 'data', second.id]));
    // Ours goes before an older one that is not.
    await bench.backend.adopt(at(), second.id, { volumeId: newId(), name: 'mine' });
    assert.equal((await bench.backend.inspect(reading(), 'data'))?.sizeBytes, second.sizeBytes);
  });

  it('are listed over many pages, while volumes come and go', async () => {
    await using bench = await startBench();
    const { world } = bench.simulator;
    const names = Array.from({ length: 1_203 }, (_, index) => `v${String(index).padStart(5, '0')}`);
    for (const name of names) world.addVolume({ name, sizeBytes: GIB, state: 'Ready' });
    const listing = bench.backend.list(reading(), { limit: 1_000 });
    await until('the first page is read', () => bench.simulator.count('listVolumes') >= 1);
    world.volumes.delete(world.volumeNamed('v01202').id);
    const listed = (await listing).map(({ image }) => image);
    assert.deepEqual(listed, names.slice(0, 1_000));
    const rest = await bench.backend.list(reading(), { after: listed.at(-1)!, limit: 1_000 });
    assert.deepEqual(
      rest.map(({ image }) => image),
      names.slice(1_000, 1_202),
    );
  });
});

describe('a volume that was never attached', () => {
  it('has no disk yet, so there is nothing to snapshot', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    await assert.rejects(
      bench.backend.createSnapshot(at(), image, 's1'),
      isKind('conflict', { reason: 'never_attached' }),
    );
  });

  it('goes to the trash and comes back all the same', async () => {
    await using bench = await startBench();
    const made = await bench.backend.create(at(), newGibVolume());
    await bench.backend.trash(at(), made.image);
    assert.equal((await bench.backend.inspect(reading(), made.image))?.place, 'trash');
    assert.deepEqual(await bench.backend.list(reading(), { limit: 10 }), []);
    assert.equal(bench.simulator.count('destroyVolume'), 0);
    assert.deepEqual(await bench.backend.restore(at(), made.image), made);
    await bench.backend.trash(at(), made.image);
    await bench.backend.purge(at(), made.image);
    assert.equal(bench.simulator.world.volumes.size, 0);
  });
});

describe('what others do in CloudStack', () => {
  it('is seen: a volume that they attached is not attached, trashed or purged', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const volume = bench.simulator.world.volumeNamed(image);
    Object.assign(volume, { state: 'Ready', vmId: bench.newVm(), deviceId: 1 });
    const watchers = [`VM ${volume.vmId}`];
    const isWatched = isKind('conflict', { watchers });
    const facts = await bench.backend.inspect(reading(), image);
    assert.deepEqual([facts?.attachment, facts?.watchers], [null, watchers]);
    await assert.rejects(bench.backend.attach(at(), image, newAttachment({ nodeId: bench.newVm() })), isWatched);
    await assert.rejects(bench.backend.trash(at(), image), isWatched);
    await assert.rejects(bench.backend.purge(at(), image), isWatched);
  });

  it('does not stand in the way: snapshots of theirs are neither listed nor removed', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const { world } = bench.simulator;
    const volume = world.volumeNamed(image);
    volume.state = 'Ready';
    const theirs = world.addSnapshot('nightly', volume, 'BackedUp');
    await bench.backend.createSnapshot(at(), image, 'nightly');
    assert.equal((await bench.backend.listSnapshots(reading(), image)).length, 1);
    await bench.backend.deleteSnapshot(at(), image, 'nightly');
    await bench.backend.createSnapshot(at(), image, 's2');
    await bench.backend.purge(at(), image);
    assert.deepEqual([...world.snapshots.keys()], [theirs.id]);
  });
});

describe('a snapshot', () => {
  it('that is stuck in BackingUp since a restart is taken again (apache/cloudstack #8423)', async () => {
    await using bench = await startBench({ jobDurationMs: 40 });
    const { image } = await bench.backend.create(at(), newGibVolume());
    bench.simulator.world.volumeNamed(image).state = 'Ready';
    const taking = bench.backend.createSnapshot(at(), image, 's1').catch((error: unknown) => error);
    await until('it runs', () => bench.simulator.jobs.running.some((job) => job.command === 'createSnapshot'));
    bench.simulator.restart('fail');
    isKind('backend', { cloudstack_error_code: 530 })(await taking);
    bench.simulator.world.volumeNamed(image).state = 'Ready';
    assert.deepEqual(
      [...bench.simulator.world.snapshots.values()].map(({ state }) => state),
      ['BackingUp'],
    );
    assert.deepEqual(await bench.backend.listSnapshots(reading(), image), []);
    const facts = await bench.backend.createSnapshot(at(), image, 's1');
    assert.deepEqual(await bench.backend.listSnapshots(reading(), image), [facts]);
    // Nobody but an administrator of CloudStack can remove the stuck one, and it says so.
    const isStuck = isKind('conflict', { cloudstack_error_code: 431 });
    await assert.rejects(bench.backend.deleteSnapshot(at(2), image, 's1'), isStuck);
  });

  it('is cloned once, although the answer was lost and the process died before the tag', async () => {
    await using bench = await startBench({ jobDurationMs: 20 });
    const { image } = await bench.backend.create(at(), newGibVolume());
    bench.simulator.world.volumeNamed(image).state = 'Ready';
    await bench.backend.createSnapshot(at(), image, 's1');
    const clone = newGibVolume({ source: { image, snapshot: 's1' } });
    const crash = new AbortController();
    const cut = bench.backend.create({ fence: 1, signal: crash.signal }, clone);
    await until('the clone has arrived', () => bench.simulator.count('createVolume') === 2);
    crash.abort();
    await assert.rejects(cut, isKind('unavailable'));
    const facts = await bench.reopen().create(at(2), clone);
    assert.deepEqual([facts.volumeId, facts.complete], [clone.volumeId, true]);
    assert.equal(bench.simulator.count('createVolume'), 2);
  });

  it('whose clone failed leaves nothing that is taken for a volume', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    bench.simulator.world.volumeNamed(image).state = 'Ready';
    await bench.backend.createSnapshot(at(), image, 's1');
    const clone = newGibVolume({ source: { image, snapshot: 's1' } });
    bench.simulator.fail('createVolume', 'job_fails');
    await assert.rejects(bench.backend.create(at(), clone), isKind('backend'));
    assert.equal(await bench.backend.inspect(reading(), clone.image), null);
    assert.equal((await bench.backend.create(at(), clone)).complete, true);
  });
});
