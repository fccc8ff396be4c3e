import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GIB } from '../../../../test/support/cloudstack/world.ts';
import { until } from '../../../../test/support/wait.ts';
import { at, isKind, newAttachment, reading } from '../conformance/suite.ts';
import { jobIdOf } from './job-id.ts';
import { newGibVolume, startBench } from './testkit.ts';

const named = ({ attachmentId, generation }: { attachmentId: string; generation: number }) => ({
  attachmentId,
  generation,
  force: false,
});

describe('exactly once', () => {
  it('takes a create whose answer was lost for what it is: done', async () => {
    await using bench = await startBench();
    const volume = newGibVolume();
    bench.simulator.fail('createVolume', 'drop_after');
    const facts = await bench.backend.create(at(), volume);
    assert.equal(facts.volumeId, volume.volumeId);
    assert.equal(bench.simulator.count('createVolume'), 1);
    assert.equal(bench.simulator.world.volumes.size, 1);
  });

  it('submits again what never arrived, and only then', async () => {
    await using bench = await startBench();
    const volume = newGibVolume();
    bench.simulator.fail('createVolume', 'drop_before');
    await assert.rejects(bench.backend.create(at(), volume), isKind('unavailable'));
    assert.equal(bench.simulator.world.volumes.size, 0);
    await bench.backend.create(at(), volume);
    assert.equal(bench.simulator.world.volumes.size, 1);
  });

  it('removes the second volume that a create leaves when it arrives twice', async () => {
    await using bench = await startBench();
    const volume = newGibVolume();
    bench.simulator.fail('createVolume', 'arrives_twice');
    const facts = await bench.backend.create(at(), volume);
    assert.equal(bench.simulator.world.volumes.size, 1);
    assert.deepEqual(await bench.backend.inspect(reading(), volume.image), facts);
  });

  it('follows an attach of its former life to the end, and does not attach twice', async () => {
    await using bench = await startBench({ jobDurationMs: 60 });
    const { image } = await bench.backend.create(at(), newGibVolume());
    const attachment = newAttachment({ nodeId: bench.newVm() });
    const crash = new AbortController();
    const cut = bench.backend.attach({ fence: 2, signal: crash.signal }, image, attachment);
    await until('the attach has arrived', () => bench.simulator.count('attachVolume') === 1);
    crash.abort();
    await assert.rejects(cut, isKind('unavailable'));
    // Another process takes over under a higher fence while the job still runs.
    const facts = await bench.reopen().attach(at(3), image, attachment);
    assert.deepEqual(facts.attachment, attachment);
    assert.equal(bench.simulator.count('attachVolume'), 1);
  });

  it('follows its own job when the attempt before was cut off, although nothing on the volume shows it', async () => {
    await using bench = await startBench({ jobDurationMs: 60 });
    const { image } = await bench.backend.create(at(), newGibVolume());
    const tagging = () => [...bench.simulator.jobs.jobs.values()].filter(({ command }) => command === 'createTags');
    const before = tagging().length;
    const crash = new AbortController();
    const cut = bench.backend.resize({ fence: 2, signal: crash.signal }, image, 3n * GIB);
    await until('the fence is being written', () => tagging().length > before);
    crash.abort();
    await assert.rejects(cut, isKind('unavailable'));
    assert.equal((await bench.reopen().resize(at(2), image, 3n * GIB)).sizeBytes, 3n * GIB);
    assert.equal(tagging().length, before + 1);
  });

  for (const verb of ['attachVolume', 'detachVolume', 'resizeVolume', 'createTags'] as const) {
    it(`carries out ${verb} once although its answer is lost`, async () => {
      await using bench = await startBench();
      const { image } = await bench.backend.create(at(), newGibVolume());
      const attachment = newAttachment({ nodeId: bench.newVm() });
      const jobs = () => [...bench.simulator.jobs.jobs.values()].filter(({ command }) => command === verb).length;
      if (verb === 'detachVolume') await bench.backend.attach(at(), image, attachment);
      const before = jobs();
      bench.simulator.fail(verb, 'drop_after');
      if (verb === 'detachVolume') await bench.backend.detach(at(), image, named(attachment));
      else if (verb === 'attachVolume') await bench.backend.attach(at(), image, attachment);
      else await bench.backend.resize(at(2), image, 3n * GIB);
      assert.equal(jobs() - before, 1);
    });
  }
});

describe('a job that does not end as it should', () => {
  it('vanished with its effect: the volume decides', async () => {
    await using bench = await startBench({ jobDurationMs: 40 });
    const { image } = await bench.backend.create(at(), newGibVolume());
    const attaching = bench.backend.attach(at(), image, newAttachment({ nodeId: bench.newVm() }));
    await until('the attach runs', () => bench.simulator.jobs.running.some((job) => job.command === 'attachVolume'));
    bench.simulator.restart('vanish_after_effect');
    assert.ok((await attaching).attachment !== null);
    assert.equal(bench.simulator.count('attachVolume'), 1);
  });

  it('vanished without effect: it is said, and the next attempt does it', async () => {
    await using bench = await startBench({ jobDurationMs: 40 });
    const { image } = await bench.backend.create(at(), newGibVolume());
    const attachment = newAttachment({ nodeId: bench.newVm() });
    const attaching = bench.backend.attach(at(), image, attachment);
    const refused = assert.rejects(attaching, isKind('unavailable'));
    await until('the attach runs', () => bench.simulator.jobs.running.some((job) => job.command === 'attachVolume'));
    bench.simulator.restart('vanish');
    await refused;
    assert.equal((await bench.backend.inspect(reading(), image))?.attachment, null);
    assert.deepEqual((await bench.backend.attach(at(), image, attachment)).attachment, attachment);
  });

  for (const restart of ['survive', 'fail'] as const) {
    it(`whose server restarted meanwhile (jobs ${restart}) is resolved by the next attempt at the latest`, async () => {
      await using bench = await startBench({ jobDurationMs: 40 });
      const { image } = await bench.backend.create(at(), newGibVolume());
      const growing = bench.backend.resize(at(), image, 5n * GIB).catch((error: unknown) => error);
      await until('the resize runs', () => bench.simulator.jobs.running.some((job) => job.command === 'resizeVolume'));
      bench.simulator.restart(restart);
      const outcome = await growing;
      if (restart === 'fail') isKind('backend', { cloudstack_error_code: 530 })(outcome);
      assert.equal((await bench.backend.resize(at(), image, 5n * GIB)).sizeBytes, 5n * GIB);
      assert.equal(bench.simulator.count('resizeVolume'), restart === 'fail' ? 2 : 1);
    });
  }

  it('failed, but had acted: the volume decides', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const attachment = newAttachment({ nodeId: bench.newVm() });
    bench.simulator.fail('attachVolume', 'job_fails_after_effect');
    assert.deepEqual((await bench.backend.attach(at(), image, attachment)).attachment, attachment);
    bench.simulator.fail('detachVolume', 'job_fails_after_effect');
    await bench.backend.detach(at(), image, named(attachment));
    assert.equal((await bench.backend.inspect(reading(), image))?.attachment, null);
  });

  it('failed without acting: the text is passed through, and the next attempt does it', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const attachment = newAttachment({ nodeId: bench.newVm() });
    bench.simulator.fail('attachVolume', 'job_fails');
    await assert.rejects(
      bench.backend.attach(at(), image, attachment),
      isKind('backend', { cloudstack_message: 'Failed to attach volume data to VM i-2-3-VM', http_status: 422 }),
    );
    assert.deepEqual((await bench.backend.attach(at(), image, attachment)).attachment, attachment);
  });

  it('of a day ago is forgotten: the volume decides', async () => {
    await using bench = await startBench();
    const volume = newGibVolume();
    const facts = await bench.backend.create(at(), volume);
    bench.simulator.expireJobs();
    assert.deepEqual(await bench.backend.create(at(), volume), facts);
    assert.equal(bench.simulator.count('createVolume'), 1);
  });

  it('of a create whose volume is gone again makes room for another', async () => {
    await using bench = await startBench();
    const volume = newGibVolume();
    await bench.backend.create(at(), volume);
    await bench.backend.purge(at(), volume.image);
    assert.equal((await bench.backend.create(at(2), volume)).complete, true);
    const first = jobIdOf('createVolume', volume.volumeId, volume.image, 0);
    assert.ok(bench.simulator.jobs.jobs.has(first), 'the id is derived from the volume alone');
  });
});

describe('a late detach (apache/cloudstack #14214)', () => {
  it('that the agent finishes after its job failed is success for the next attempt', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const attachment = newAttachment({ nodeId: bench.newVm() });
    await bench.backend.attach(at(), image, attachment);
    bench.simulator.fail('detachVolume', 'job_acts_late');
    await assert.rejects(bench.backend.detach(at(), image, named(attachment)), isKind('backend'));
    assert.deepEqual((await bench.backend.inspect(reading(), image))?.attachment, attachment);
    bench.simulator.jobs.actLate();
    await bench.backend.detach(at(), image, named(attachment));
    assert.equal(bench.simulator.count('detachVolume'), 1);
    const newer = newAttachment({ nodeId: bench.newVm(), generation: 2 });
    assert.deepEqual((await bench.backend.attach(at(2), image, newer)).attachment, newer);
  });

  it('that takes a newer attachment with it is seen, and is no obstacle', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const old = newAttachment({ nodeId: bench.newVm() });
    await bench.backend.attach(at(), image, old);
    bench.simulator.fail('detachVolume', 'job_acts_late');
    await assert.rejects(bench.backend.detach(at(), image, named(old)), isKind('backend'));
    await bench.backend.detach(at(), image, named(old));
    const newer = newAttachment({ nodeId: bench.newVm(), generation: 2 });
    await bench.backend.attach(at(2), image, newer);
    bench.simulator.jobs.actLate();
    // The record alone would still say "attached".
    assert.equal((await bench.backend.inspect(reading(), image))?.attachment, null);
    const newest = newAttachment({ nodeId: bench.newVm(), generation: 3 });
    assert.deepEqual((await bench.backend.attach(at(3), image, newest)).attachment, newest);
  });

  it('of ours does not clear a newer attachment', async () => {
    await using bench = await startBench();
    const { image } = await bench.backend.create(at(), newGibVolume());
    const old = newAttachment({ nodeId: bench.newVm() });
    const newer = { ...old, generation: 2 };
    await bench.backend.attach(at(), image, old);
    await bench.backend.detach(at(), image, named(old));
    await bench.backend.attach(at(2), image, newer);
    await assert.rejects(bench.backend.detach(at(2), image, named(old)), isKind('conflict'));
    await assert.rejects(
      bench.backend.detach(at(1), image, named(newer)),
      isKind('conflict', { reason: 'stale_fence' }),
    );
    assert.deepEqual((await bench.backend.inspect(reading(), image))?.attachment, newer);
  });
});
