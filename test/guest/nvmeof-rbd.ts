/** Tests of RBD images over NVMe/TCP: the cluster is on this machine, and the kernel that maps and serves them in a guest. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { ImageFacts } from '../../src/volumes/backends/backend.ts';
import { type CephBench, at, contentOf, newVolume } from '../../src/volumes/backends/ceph/testkit.ts';
import { newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import type { ExportSpec } from '../../src/volumes/exports/target.ts';
import type { Guest } from '../support/guest/guest.ts';
import { hostNqn } from './nvme-host.ts';
import { FailedInside, RbdStage } from './nvmeof-rbd-stage.ts';

const MIB = 1024 * 1024;

/** The guest must have been booted when the cluster stood: it sees the files of then. */
export function rbdTests(given: () => { readonly guest: Guest; readonly bench: CephBench }): void {
  let bench: CephBench;
  let stage: RbdStage;
  before(async () => {
    ({ bench } = given());
    stage = await RbdStage.open(given().guest, bench.cluster);
  });

  /** A new image of 16 MiB, and the wish for an export of it. */
  const wish = async (): Promise<ExportSpec & { readonly image: string }> => {
    const volume = newVolume();
    const { image } = await bench.backend.create(at(), volume);
    const source = (await bench.backend.exportSource(at(), image))!;
    return { image, ...newSpec(source, { volumeId: volume.volumeId, allowedHosts: [hostNqn] }) };
  };
  const watchers = async (image: string): Promise<ImageFacts['watchers']> =>
    (await bench.backend.inspect(at(), image))!.watchers;

  test('serve what Ceph has, grow in use, and leave nothing mapped', async () => {
    const { image, ...spec } = await wish();
    const made = await stage.ask('add', spec);
    assert.deepEqual([made.source, String(made.sizeBytes), made.isStale], [spec.source, String(16 * MIB), false]);
    assert.deepEqual(await stage.ask('add', spec), made);
    assert.equal((await stage.ask('mapped')).length, 1);
    await stage.ask('connect', made);
    await stage.ask('write', 0x6b, MIB);
    const grown = await stage.ask('resize', spec.exportId, 24 * MIB);
    assert.deepEqual([String(grown.sizeBytes), String(await stage.ask('sizeSeen'))], Array(2).fill(String(24 * MIB)));
    await stage.ask('write', 0x6c, 23 * MIB);
    await assert.rejects(stage.ask('resize', spec.exportId, 16 * MIB), isRefused('invalid'));
    await assert.rejects(stage.ask('remove', spec.exportId, false), isRefused('conflict'));
    assert.equal((await watchers(image)).length, 1);
    await stage.ask('disconnect');
    await stage.ask('remove', spec.exportId, false);
    assert.deepEqual([await stage.ask('mapped'), await watchers(image)], [[], []]);
    const content = await contentOf(bench.cluster, image);
    assert.equal(content.length, 24 * MIB);
    assert.equal(content.slice(MIB, MIB + 65_536), '\x6b'.repeat(65_536));
    assert.equal(content.slice(23 * MIB, 23 * MIB + 65_536), '\x6c'.repeat(65_536));
    assert.equal(content.slice(0, MIB), '\0'.repeat(MIB));
  });

  test('a writer whose client was fenced, as it was recorded, writes no more, and goes by force', async () => {
    const { image, ...spec } = await wish();
    const { image: other, ...otherSpec } = await wish();
    await stage.ask('connect', await stage.ask('add', spec));
    await stage.ask('add', otherSpec);
    await stage.ask('write', 0x6d, 0);
    const clients = await watchers(image);
    assert.equal(clients.length, 1);
    assert.notDeepEqual(await watchers(other), clients, 'each image has a client of its own');
    await bench.backend.fence!(at(), image, clients);
    await assert.rejects(stage.ask('write', 0x6e, 0), FailedInside);
    await stage.ask('remove', spec.exportId, true);
    assert.equal((await stage.ask('mapped')).length, 1, 'the other one is as it was');
    assert.equal((await contentOf(bench.cluster, image)).slice(0, 65_536), '\x6d'.repeat(65_536));
    await stage.ask('remove', otherSpec.exportId, false);
  });

  test('what was cut off before it had a namespace goes with the next change, and what others mapped stays', async () => {
    const { image, ...spec } = await wish();
    const { pool } = bench.cluster;
    const foreign = (await stage.run(`rbd -c ${bench.cluster.conf} device map -o noudev ${pool}/${image}`)).trim();
    const held = await stage.ask('hold', spec.exportId, spec.source);
    assert.notEqual(held, foreign);
    assert.deepEqual(await stage.ask('mapped'), [held]);
    const absent = { ...spec.source, image: 'not-there' } as ExportSpec['source'];
    const another = newSpec(absent, { allowedHosts: [hostNqn] });
    await assert.rejects(stage.ask('add', another), isRefused('not_found'));
    assert.deepEqual(await stage.ask('mapped'), []);
    await stage.run(`echo ${foreign.replace('/dev/rbd', '')} >/sys/bus/rbd/remove_single_major`);
    assert.deepEqual(await watchers(image), []);
  });
}

function isRefused(kind: string) {
  return (error: unknown): true => {
    assert.ok(error instanceof FailedInside, String(error));
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}
