import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ImageAttachment } from '../backend.ts';
import { type Suite, at, isKind, newAttachment, newId, reading } from './suite.ts';

/** Attachments as records in the real system. */
export function attachmentTests(suite: Suite): void {
  it('attaches, repeats the same attachment, and refuses another', async () => {
    const made = await suite.make();
    const attachment = newAttachment();
    const attached = await suite.backend.attach(at(), made.image, attachment);
    assert.deepEqual(attached, { ...made, attachment });
    assert.deepEqual(await suite.backend.attach(at(), made.image, attachment), attached);
    const others: readonly ImageAttachment[] = [
      newAttachment(),
      { ...attachment, generation: 2 },
      { ...attachment, nodeId: 'node-b' },
      { ...attachment, mode: 'ro' },
    ];
    for (const other of others) await assert.rejects(suite.backend.attach(at(), made.image, other), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(made.image), attached);
    await assert.rejects(suite.backend.attach(at(), newId(), attachment), isKind('not_found'));
  });

  it('detaches, and can attach again', async () => {
    const made = await suite.make();
    const attachment = newAttachment();
    await suite.backend.attach(at(), made.image, attachment);
    await suite.backend.detach(at(), made.image, namedBy(attachment));
    assert.deepEqual(await suite.mustInspect(made.image), made);
    const next = newAttachment({ nodeId: 'node-b', generation: 2 });
    assert.deepEqual((await suite.backend.attach(at(), made.image, next)).attachment, next);
  });

  it('attaches as a root disk, which is another attachment than that of a data disk', async (t) => {
    if (!suite.needs(t, 'rootAttach')) return;
    const made = await suite.make();
    const nodeId = suite.harness.rootNode ?? 'node-a';
    const { device: _, ...dataDisk } = newAttachment({ nodeId, device: 'root' });
    const rootDisk: ImageAttachment = { ...dataDisk, device: 'root' };
    await suite.backend.checkRootAttach!(reading(), nodeId);
    assert.deepEqual(await suite.mustInspect(made.image), made);
    const attached = await suite.backend.attach(at(), made.image, rootDisk);
    assert.deepEqual(attached, { ...made, attachment: rootDisk });
    assert.deepEqual(await (await suite.harness.reopen()).attach(at(), made.image, rootDisk), attached);
    await assert.rejects(suite.backend.attach(at(), made.image, dataDisk), isKind('conflict'));
    assert.deepEqual(await suite.mustInspect(made.image), attached);
    await suite.backend.detach(at(), made.image, namedBy(rootDisk));
    assert.deepEqual(await suite.mustInspect(made.image), made);
    const signal = AbortSignal.abort();
    await assert.rejects(suite.backend.checkRootAttach!({ signal }, nodeId), isKind('unavailable'));
  });

  it('does not clear a newer attachment by a late detach (lesson 4)', async () => {
    const { image } = await suite.make();
    const old = newAttachment({ generation: 1 });
    const newer = { ...old, generation: 2 };
    await suite.backend.attach(at(), image, old);
    await suite.backend.detach(at(), image, namedBy(old));
    await suite.backend.attach(at(), image, newer);
    await assert.rejects(suite.backend.detach(at(), image, namedBy(old)), isKind('conflict'));
    await assert.rejects(suite.backend.detach(at(), image, { ...namedBy(old), force: true }), refusesLateForce(suite));
    await assert.rejects(suite.backend.detach(at(), image, namedBy(newAttachment())), isKind('conflict'));
    assert.deepEqual((await suite.mustInspect(image)).attachment, newer);
    await suite.backend.detach(at(), image, namedBy(newer));
    assert.equal((await suite.mustInspect(image)).attachment, null);
  });

  it('takes the removal of an absent attachment, or of one of an absent image, for success (lesson 3)', async () => {
    const made = await suite.make();
    await suite.backend.detach(at(), made.image, namedBy(newAttachment()));
    assert.deepEqual(await suite.mustInspect(made.image), made);
    await suite.backend.detach(at(), newId(), namedBy(newAttachment()));
  });

  it('detaches by force where clients can be cut off', async (t) => {
    if (!suite.needs(t, 'fence')) return;
    const made = await suite.make();
    const attachment = newAttachment();
    await suite.backend.attach(at(), made.image, attachment);
    await suite.backend.detach(at(), made.image, { ...namedBy(attachment), force: true });
    assert.deepEqual(await suite.mustInspect(made.image), made);
  });

  it('keeps the attachment through a resize and a snapshot', async () => {
    const made = await suite.make();
    const attachment = newAttachment();
    await suite.backend.attach(at(), made.image, attachment);
    const grown = await suite.backend.resize(at(), made.image, made.sizeBytes + 1n);
    assert.deepEqual(grown.attachment, attachment);
    if (suite.backend.capabilities.snapshots) await suite.backend.createSnapshot(at(), made.image, 's1');
    assert.deepEqual((await suite.mustInspect(made.image)).attachment, attachment);
  });
}

function namedBy({ attachmentId, generation }: ImageAttachment) {
  return { attachmentId, generation, force: false };
}

/** A late forced detach is a conflict, or not possible at all. */
function refusesLateForce(suite: Suite) {
  return isKind(suite.backend.capabilities.fence ? 'conflict' : 'unsupported');
}
