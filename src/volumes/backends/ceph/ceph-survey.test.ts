import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { CephCluster } from '../../../../test/support/ceph.ts';
import type { CephBackend } from './backend.ts';
import { type CephBench, at, imageId, isKind, newVolume, startBench, withCeph } from './testkit.ts';

withCeph('ceph: what a survey reads without opening images', () => {
  let bench: CephBench;
  let cluster: CephCluster;
  let backend: CephBackend;
  before(async () => {
    bench = await startBench();
    ({ cluster, backend } = bench);
  });
  after(() => bench.stop());

  const cloneOf = async (image: string, snapshot = 's1') =>
    (await backend.create(at(), { ...newVolume(), source: { image, snapshot } })).image;
  const makeParent = async () => {
    const { image } = await backend.create(at(), newVolume());
    await backend.createSnapshot(at(), image, 's1');
    return image;
  };
  /** What a survey says, which is what an inspection of each says. */
  const survey = async (images: readonly string[]) => {
    const surveyed = await backend.survey!(at(), images);
    const inspected = await Promise.all(images.map((image) => backend.inspect(at(), image)));
    assert.deepEqual(
      surveyed.map((facts) => facts && { ...facts, watchers: [] }),
      inspected,
    );
    return surveyed;
  };

  test('knows images of other features, sizes and owners', async () => {
    const plain = `plain-${randomUUID()}`;
    const huge = `huge-${randomUUID()}`;
    const only = (feature: string) => ['create', '--image-feature', feature];
    await cluster.run('rbd', ...only('exclusive-lock'), '--size', '1M', `rbd/${plain}`);
    await cluster.run('rbd', ...only('layering'), '--size', `${(1n << 53n) + 1n}B`, `rbd/${huge}`);
    const copy = `copy-${randomUUID()}`;
    const source = await makeParent();
    await cluster.run('rbd', 'clone', '--rbd-default-clone-format', '2', `rbd/${source}@s1`, `rbd/${copy}`);
    const [, hugeFacts, copyFacts] = await survey([plain, huge, copy]);
    assert.equal(hugeFacts?.sizeBytes, (1n << 53n) + 1n);
    assert.equal(copyFacts?.volumeId, null, 'tags that a copy has inherited are not its own');
  });

  test('does not take a clone without its parent for an image', async () => {
    const [whole, lost] = [await makeParent(), await makeParent()];
    const clones = [await cloneOf(whole), await cloneOf(lost), await cloneOf(whole), await cloneOf(lost)];
    await cluster.run('rados', '-p', cluster.pool, 'rm', `rbd_header.${await imageId(cluster, lost)}`);
    const surveyed = await survey(clones);
    assert.deepEqual(
      surveyed.map((facts) => facts?.image ?? null),
      [clones[0], null, clones[2], null],
    );
  });

  test('finds what is in the trash, and nothing where a name leads nowhere', async () => {
    const [trashed, cutOff] = [await backend.create(at(), newVolume()), await backend.create(at(), newVolume())];
    await backend.trash(at(), trashed.image);
    await cluster.run('rados', '-p', cluster.pool, 'rm', `rbd_header.${await imageId(cluster, cutOff.image)}`);
    const surveyed = await survey([trashed.image, cutOff.image, `vol-${randomUUID()}`]);
    assert.deepEqual(
      surveyed.map((facts) => facts?.place ?? null),
      ['trash', null, null],
    );
  });

  test('names tags that somebody has damaged, and passes no name to Ceph that means something else there', async () => {
    const made = await backend.create(at(), newVolume());
    await cluster.run('rbd', 'image-meta', 'set', made.location, 'holdfast.tags', '{');
    await assert.rejects(backend.survey!(at(), [made.image]), isKind('backend', /damaged/));
    await assert.rejects(backend.survey!(at(), ['image@snapshot']), isKind('invalid'));
  });

  test('asks Ceph far less than an inspection of each', async () => {
    const images = await Promise.all(
      Array.from({ length: 20 }, async () => (await backend.create(at(), newVolume())).image),
    );
    const asked = await operationsDuring(cluster, () => backend.survey!(at(), images));
    assert.ok(asked <= 3 * images.length, `${asked} operations for ${images.length} images`);
  });
});

/** How many operations of clients the OSD has done meanwhile. */
async function operationsDuring(cluster: CephCluster, work: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    const counters = JSON.parse(await cluster.run('ceph', 'tell', 'osd.0', 'perf', 'dump')) as { osd: { op: number } };
    return counters.osd.op;
  };
  const before = await count();
  await work();
  return (await count()) - before;
}
