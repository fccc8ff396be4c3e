import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Suite, at, isKind, newAttachment } from './suite.ts';

/** Clients that are cut off by themselves, without a detach. */
export function fenceTests(suite: Suite): void {
  it('has the verb exactly where it says that clients can be cut off', () => {
    assert.equal(suite.backend.fence !== undefined, suite.backend.capabilities.fence);
  });

  it('cuts off the client that is named, which writes no more and is counted no more, and nobody else', async (t) => {
    if (!suite.needs(t, 'fence')) return;
    const { openClient } = suite.harness;
    if (openClient === undefined) {
      t.skip('nobody but the server reaches images of the backend');
      return;
    }
    const { image } = await suite.make();
    const attachment = newAttachment();
    await suite.backend.attach(at(), image, attachment);
    const old = await openClient(image);
    const seen = (await suite.mustInspect(image)).watchers;
    assert.equal(seen.length, 1);
    assert.equal(await old.canWrite(), true);
    const other = await openClient(image);
    const [others, ...more] = (await suite.mustInspect(image)).watchers.filter((address) => !seen.includes(address));
    assert.deepEqual([typeof others, more], ['string', []]);

    await suite.backend.fence!(at(), image, seen);
    assert.deepEqual((await suite.mustInspect(image)).watchers, [others]);
    assert.equal(await old.canWrite(), false);
    assert.equal(await other.canWrite(), true);
    assert.deepEqual((await suite.mustInspect(image)).attachment, attachment, 'the attachment stays');
    await suite.backend.fence!(at(), image, seen);

    await suite.backend.fence!(at(), image, [others!]);
    assert.deepEqual((await suite.mustInspect(image)).watchers, [], 'no watcher is left');
    assert.deepEqual(await Promise.all([old.canWrite(), other.canWrite()]), [false, false]);
    await Promise.all([old.close(), other.close()]);
  });

  it('fence: refuses a stale fence, does nothing after the deadline, and has nothing to do without clients', async (t) => {
    if (!suite.needs(t, 'fence')) return;
    const { image } = await suite.make();
    await suite.backend.attach(at(5), image, newAttachment());
    await assert.rejects(suite.backend.fence!(at(4), image, []), isKind('conflict', { reason: 'stale_fence' }));
    const late = { fence: 5, signal: AbortSignal.abort() };
    await assert.rejects(suite.backend.fence!(late, image, []), isKind('unavailable'));
    const before = await suite.mustInspect(image);
    await suite.backend.fence!(at(5), image, []);
    assert.deepEqual(await suite.mustInspect(image), before);
  });
}
