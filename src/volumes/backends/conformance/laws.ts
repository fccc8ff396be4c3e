import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { VolumeBackend } from '../backend.ts';
import { type Suite, at, isKind, newAttachment, newVolume, reading } from './suite.ts';
import { MUTATING_VERBS } from './verbs.ts';

/** Laws that hold for every verb: fences, repeats, deadlines, capabilities, concurrency. */
export function lawTests(suite: Suite): void {
  for (const { verb, needs, prepare } of MUTATING_VERBS) {
    it(`${verb}: refuses a stale fence and takes an equal or higher one`, async (t) => {
      if (needs !== undefined && !suite.needs(t, needs)) return;
      const { image, call } = await prepare(suite, 5);
      const before = await suite.backend.inspect(reading(), image);
      const stale = isKind('conflict', { reason: 'stale_fence' });
      await assert.rejects(call(suite.backend, at(4)), stale);
      // The fence is kept in the real system, so a restart does not forget it.
      await assert.rejects(call(await suite.harness.reopen(), at(4)), stale);
      assert.deepEqual(await suite.backend.inspect(reading(), image), before);
      await call(suite.backend, at(5));
      await call(suite.backend, at(6));
      // A purged image is absent, and of what is absent nothing is too late.
      if (verb !== 'purge') await assert.rejects(call(suite.backend, at(5)), stale);
    });

    it(`${verb}: when the answer was lost, a repeat gives the same`, async (t) => {
      if (needs !== undefined && !suite.needs(t, needs)) return;
      const { image, call } = await prepare(suite, 1);
      const first = await call(suite.backend, at(2));
      const facts = await suite.backend.inspect(reading(), image);
      assert.deepEqual(await call(suite.backend, at(2)), first);
      assert.deepEqual(await suite.backend.inspect(reading(), image), facts);
      assert.deepEqual(await call(await suite.harness.reopen(), at(2)), first);
      assert.deepEqual(await suite.backend.inspect(reading(), image), facts);
    });

    it(`${verb}: does nothing when the deadline has passed already`, async (t) => {
      if (needs !== undefined && !suite.needs(t, needs)) return;
      const { image, call } = await prepare(suite, 1);
      const before = await suite.backend.inspect(reading(), image);
      await assert.rejects(call(suite.backend, { fence: 1, signal: AbortSignal.abort() }), isKind('unavailable'));
      assert.deepEqual(await suite.backend.inspect(reading(), image), before);
      await call(suite.backend, at(1));
    });
  }

  it('does not create or read anything when the deadline has passed already', async () => {
    const volume = newVolume();
    const signal = AbortSignal.abort();
    await assert.rejects(suite.backend.create({ fence: 1, signal }, volume), isKind('unavailable'));
    const facts = await suite.backend.inspect(reading(), volume.image);
    assert.ok(facts === null || !facts.complete, 'nothing that could be taken for the volume');
    assert.equal((await suite.backend.create(at(), volume)).complete, true);
    await assert.rejects(suite.backend.health(signal), isKind('unavailable'));
    await assert.rejects(suite.backend.inspect({ signal }, volume.image), isKind('unavailable'));
    await assert.rejects(suite.backend.list({ signal }, { limit: 1 }), isKind('unavailable'));
  });

  it('says of each verb that it cannot do that it is unsupported, and why', async () => {
    const { image } = await suite.make();
    const attachment = newAttachment();
    await suite.backend.attach(at(), image, attachment);
    const before = await suite.mustInspect(image);
    for (const call of deniedCalls(suite.backend, image, attachment))
      await assert.rejects(call(), isKind('unsupported'));
    assert.deepEqual(await suite.mustInspect(image), before);
  });

  it('makes twenty images at once', async () => {
    const volumes = Array.from({ length: 20 }, () => newVolume());
    const facts = await Promise.all(volumes.map((volume) => suite.backend.create(at(), volume)));
    assert.deepEqual(
      facts.map(({ image, volumeId }) => ({ image, volumeId })),
      volumes.map(({ image, volumeId }) => ({ image, volumeId })),
    );
    await Promise.all(volumes.map(({ image }) => suite.backend.purge(at(), image)));
    const left = await Promise.all(volumes.map(({ image }) => suite.backend.inspect(reading(), image)));
    assert.deepEqual(
      left,
      volumes.map(() => null),
    );
  });

  it('makes one image when it is asked five times at once', async () => {
    const volume = newVolume();
    const facts = await Promise.all(Array.from({ length: 5 }, () => suite.backend.create(at(), volume)));
    for (const each of facts) assert.deepEqual(each, facts[0]);
    const others = await suite.backend.list(reading(), { after: volume.image.slice(0, -1), limit: 1000 });
    assert.equal(others.filter(({ image }) => image === volume.image).length, 1);
  });

  it('gives a name to one of two volumes that want it at once', async () => {
    const mine = newVolume();
    const theirs = newVolume({ image: mine.image });
    const results = await Promise.allSettled([suite.backend.create(at(), theirs), suite.backend.create(at(), mine)]);
    const refused = results.filter((result) => result.status === 'rejected');
    assert.equal(refused.length, 1);
    isKind('conflict')(refused[0]?.reason);
  });

  it('records one of two attachments that want the image at once', async () => {
    const { image } = await suite.make();
    const wishes = [newAttachment(), newAttachment({ nodeId: 'node-b' })];
    const results = await Promise.allSettled(wishes.map((wish) => suite.backend.attach(at(), image, wish)));
    const attached = results.filter((result) => result.status === 'fulfilled');
    assert.equal(attached.length, 1);
    assert.deepEqual((await suite.mustInspect(image)).attachment, attached[0]?.value.attachment);
  });
}

function deniedCalls(
  backend: VolumeBackend,
  image: string,
  { attachmentId, generation }: { readonly attachmentId: string; readonly generation: number },
): (() => Promise<unknown>)[] {
  const { snapshots, clone, qos, trash, fence, rootAttach } = backend.capabilities;
  const calls: (() => Promise<unknown>)[] = [];
  if (!snapshots) {
    calls.push(() => backend.createSnapshot(at(), image, 's1'));
    calls.push(() => backend.deleteSnapshot(at(), image, 's1'));
    calls.push(() => backend.revert(at(), image, 's1'));
  }
  if (!clone) calls.push(() => backend.create(at(), newVolume({ source: { image, snapshot: 's1' } })));
  if (!qos) {
    calls.push(() => backend.setQos(at(), image, { iops: 1 }));
    calls.push(() => backend.create(at(), newVolume({ qos: { iops: 1 } })));
  }
  if (!trash)
    calls.push(
      () => backend.trash(at(), image),
      () => backend.restore(at(), image),
    );
  if (!rootAttach) calls.push(() => backend.attach(at(), image, newAttachment({ device: 'root' })));
  if (!fence) calls.push(() => backend.detach(at(), image, { attachmentId, generation, force: true }));
  return calls;
}
