import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VolumeBackend } from '../backend.ts';
import { backendConformance } from '../backend.conformance.ts';
import { at, isKind, newAttachment, newVolume, reading } from '../conformance/suite.ts';
import { MemoryDisk } from './disk.ts';
import { createMemoryBackend } from './memory.ts';

backendConformance('memory', async () => {
  const disk = new MemoryDisk();
  return {
    backend: createMemoryBackend({ disk }),
    maxSizeBytes: (1n << 53n) + 1n,
    reopen: async () => createMemoryBackend({ disk }),
    putForeignImage: async (image: string, sizeBytes: bigint) => disk.putForeign(image, sizeBytes),
    teardown: async () => {},
  };
});

describe('the memory backend fails as it is told', () => {
  it('refuses as often as told, only for the named image and verb', async () => {
    const { disk, backend } = setUp();
    const [volume, other] = [newVolume(), newVolume()];
    disk.faults.push({ verb: 'create', image: volume.image, times: 2, effect: 'fail' });
    await assert.rejects(backend.create(at(), volume), isKind('backend'));
    await backend.create(at(), other);
    assert.equal(await backend.inspect(reading(), volume.image), null);
    await assert.rejects(backend.create(at(), volume), isKind('backend'));
    assert.equal((await backend.create(at(), volume)).complete, true);
    assert.deepEqual(disk.faults, []);
  });

  it('loses an answer after the work, and the repeat finds it done', async () => {
    const { disk, backend } = setUp();
    const volume = newVolume();
    disk.faults.push({ verb: 'create', times: 1, effect: 'fail_after_effect' });
    await assert.rejects(backend.create(at(), volume), isKind('unavailable'));
    const facts = await backend.inspect(reading(), volume.image);
    assert.deepEqual(await backend.create(at(), volume), facts);
  });

  it('uses faults up in order, and cannot be reached', async () => {
    const { disk, backend } = setUp();
    disk.faults.push({ verb: 'health', times: 1, effect: 'unreachable' }, { verb: 'health', times: 1, effect: 'fail' });
    await assert.rejects(backend.health(reading().signal), isKind('unavailable'));
    await assert.rejects(backend.health(reading().signal), isKind('backend'));
    await backend.health(reading().signal);
  });

  it('hangs until the deadline, without effect', async () => {
    const { disk, backend } = setUp();
    const volume = newVolume();
    const controller = new AbortController();
    disk.faults.push({ verb: 'create', times: 1, effect: 'hang' });
    const hanging = backend.create({ fence: 1, signal: controller.signal }, volume);
    assert.equal(await backend.inspect(reading(), volume.image), null);
    controller.abort();
    await assert.rejects(hanging, isKind('unavailable'));
    assert.equal(await backend.inspect(reading(), volume.image), null);
  });

  it('answers late, or not at all when the deadline comes first', async () => {
    const { disk, backend } = setUp();
    disk.faults.push({ verb: 'create', times: 1, effect: 'delay', delayMs: 1 });
    disk.faults.push({ verb: 'create', times: 1, effect: 'delay', delayMs: 3_600_000 });
    assert.equal((await backend.create(at(), newVolume())).complete, true);
    const controller = new AbortController();
    const late = backend.create({ fence: 1, signal: controller.signal }, newVolume());
    controller.abort();
    await assert.rejects(late, isKind('unavailable'));
  });
});

describe('the memory backend knows watchers', () => {
  const watchers = ['10.0.0.7:0/123'];

  it('refuses to attach, revert, trash or purge an image that another has open', async () => {
    const { disk, backend } = setUp();
    const { image } = await backend.create(at(), newVolume());
    await backend.createSnapshot(at(), image, 's1');
    disk.watchers.set(image, watchers);
    assert.deepEqual((await backend.inspect(reading(), image))?.watchers, watchers);
    const isWatched = isKind('conflict', { watchers });
    await assert.rejects(backend.attach(at(), image, newAttachment()), isWatched);
    await assert.rejects(backend.revert(at(), image, 's1'), isWatched);
    await assert.rejects(backend.trash(at(), image), isWatched);
    await assert.rejects(backend.purge(at(), image), isWatched);
    assert.equal((await backend.inspect(reading(), image))?.place, 'live');
  });

  it('detaches only by force while the client is there, and cuts it off', async () => {
    const { disk, backend } = setUp();
    const { image } = await backend.create(at(), newVolume());
    const attachment = newAttachment();
    await backend.attach(at(), image, attachment);
    disk.watchers.set(image, watchers);
    assert.deepEqual((await backend.attach(at(), image, attachment)).attachment, attachment);
    const { attachmentId, generation } = attachment;
    const detach = (force: boolean) => backend.detach(at(), image, { attachmentId, generation, force });
    await assert.rejects(detach(false), isKind('conflict', { watchers }));
    await detach(true);
    const facts = await backend.inspect(reading(), image);
    assert.deepEqual([facts?.attachment, facts?.watchers], [null, []]);
  });
});

function setUp(): { readonly disk: MemoryDisk; readonly backend: VolumeBackend } {
  const disk = new MemoryDisk();
  return { disk, backend: createMemoryBackend({ disk }) };
}
