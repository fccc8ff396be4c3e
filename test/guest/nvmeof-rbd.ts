/** Tests of RBD images over NVMe/TCP: the cluster is on this machine, and the kernel that maps and serves them in a guest. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type CephBench, at, contentOf } from '../../src/volumes/backends/ceph/testkit.ts';
import { newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import type { Guest } from '../support/guest/guest.ts';
import { hostNqn } from './nvme-host.ts';
import { FailedInside, RbdStage } from './nvmeof-rbd-stage.ts';

const MIB = 1024 * 1024;
const WRITE_BYTES = 65_536;

/** The guest must have been booted when the cluster stood: it sees the files of then. */
export function rbdTests(given: () => { readonly guest: Guest; readonly bench: CephBench }): void {
  let stage: RbdStage;
  before(async () => {
    stage = await RbdStage.open(given().guest, given().bench);
  });
  test('serve what Ceph has, grow in use, and leave nothing mapped', () => servesAndGrows(stage));
  test('a writer whose client was fenced, as it was recorded, writes no more, and goes by force', () => fences(stage));
  // Last, since it changes the cluster.
  test('what was cut off before it had a namespace goes with the next change, and what others mapped stays', () =>
    cleansUp(stage));
}

async function servesAndGrows(stage: RbdStage): Promise<void> {
  const { image, spec } = await stage.wish();
  const { exportId } = spec;
  const made = await stage.ask('add', spec);
  assert.deepEqual([made.source, String(made.sizeBytes), made.isStale], [spec.source, String(16 * MIB), false]);
  assert.deepEqual(await stage.ask('add', spec), made);
  assert.equal((await stage.ask('mapped')).length, 1);
  await stage.ask('connect', made);
  await stage.ask('write', 0x6b, MIB);
  const grown = await stage.ask('resize', exportId, 24 * MIB);
  assert.deepEqual([String(grown.sizeBytes), String(await stage.ask('sizeSeen'))], Array(2).fill(String(24 * MIB)));
  await stage.ask('write', 0x6c, 23 * MIB);
  await assert.rejects(stage.ask('resize', exportId, 16 * MIB), isRefused('invalid'));
  await assert.rejects(stage.ask('remove', exportId, false), isRefused('conflict'));
  assert.equal((await stage.watchers(image)).length, 1);
  await stage.ask('disconnect');
  await stage.ask('remove', exportId, false);
  assert.deepEqual([await stage.ask('mapped'), await stage.watchers(image)], [[], []]);
  const content = await contentOf(stage.bench.cluster, image);
  assert.equal(content.length, 24 * MIB);
  assert.equal(content.slice(0, MIB), '\0'.repeat(MIB));
  assert.equal(content.slice(MIB, MIB + WRITE_BYTES), '\x6b'.repeat(WRITE_BYTES));
  assert.equal(content.slice(23 * MIB, 23 * MIB + WRITE_BYTES), '\x6c'.repeat(WRITE_BYTES));
}

async function fences(stage: RbdStage): Promise<void> {
  const { image, spec } = await stage.wish();
  const other = await stage.wish();
  await stage.ask('connect', await stage.ask('add', spec));
  await stage.ask('add', other.spec);
  await stage.ask('write', 0x6d, 0);
  const clients = await stage.watchers(image);
  assert.equal(clients.length, 1);
  assert.notDeepEqual(await stage.watchers(other.image), clients, 'each image has a client of its own');
  await stage.bench.backend.fence!(at(), image, clients);
  await assert.rejects(stage.ask('write', 0x6e, 0), FailedInside);
  await stage.ask('remove', spec.exportId, true);
  assert.equal((await stage.ask('mapped')).length, 1, 'the other one is as it was');
  const content = await contentOf(stage.bench.cluster, image);
  assert.equal(content.slice(0, WRITE_BYTES), '\x6d'.repeat(WRITE_BYTES));
  await stage.ask('remove', other.spec.exportId, false);
}

/** Also with a cluster that speaks the second version of its protocol alone. */
async function cleansUp(stage: RbdStage): Promise<void> {
  const { image, spec } = await stage.wish();
  const { conf, pool, monitors } = stage.bench.cluster;
  const foreign = (await stage.run(`rbd -c ${conf} device map -o noudev ${pool}/${image}`)).trim();
  // From here on its monitor takes the second version alone.
  await stage.bench.cluster.run('ceph', 'mon', 'set-addrs', 'a', `[${monitors[0]}]`);
  const held = await stage.ask('hold', spec.exportId, spec.source);
  assert.notEqual(held, foreign);
  assert.deepEqual(await stage.ask('mapped'), [held]);
  assert.match(await stage.run(`cat /sys/bus/rbd/devices/${numberOf(held)}/config_info`), /[ ,]ms_mode=prefer-crc[ ,]/);
  const absent = { kind: 'rbd', conf, pool, image: 'not-there' } as const;
  const another = newSpec(absent, { allowedHosts: [hostNqn] });
  await assert.rejects(stage.ask('add', another), isRefused('not_found'));
  assert.deepEqual(await stage.ask('mapped'), []);
  // Fails unless it is still mapped.
  await stage.run(`echo ${numberOf(foreign)} >/sys/bus/rbd/remove_single_major`);
  assert.deepEqual(await stage.watchers(image), []);
}

function numberOf(path: string): string {
  return path.replace('/dev/rbd', '');
}

function isRefused(kind: string) {
  return (error: unknown): true => {
    assert.ok(error instanceof FailedInside, String(error));
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}
