import { ownPrefix } from '../../src/objects/encryption/key-blobs.ts';
import type { ObjectVersion } from '../../src/objects/object.ts';
import type { CheckReport } from '../../src/objects/checking/report.ts';
import { count, read, remove, usedBytes } from '../objects/acts.ts';
import type { Lab } from '../objects/lab.ts';
import { bodyOf } from './kept-bodies.ts';
import { type KeptClient, type KeptKey, idOf } from './kept-client.ts';
import { mend, onlyDamaged } from './kept-damage.ts';
import { rest, runKeeper } from './kept-round.ts';
import { heal, undrainAll } from './kept-strikes.ts';
import { type KeeperName, type KeptWorld, keptBuckets, renewLeases } from './kept-world.ts';

const roundsMax = 12;
/** After this every wait has ended, and every copy is due to be read. */
const longMs = 40 * 86_400_000;
const { signal } = new AbortController();

/** In the order in which what one does is work for the next. */
const order: readonly KeeperName[] = [
  'intents',
  'rewriter',
  'migrator',
  'lifecycle',
  'uploads',
  'scrubber',
  'reconciler',
  'replicator',
  'overReplication',
  'rebalancer',
  'drains',
  'backup',
  'cleanup',
];

/** All is made to work again and keepers run until nothing is left to them; then every byte is accounted for. */
export async function sweep(world: KeptWorld, clients: readonly KeptClient[]): Promise<void> {
  world.tell('the sweep begins');
  await heal(world);
  await rest(world);
  await tellOnly(world);
  const said = await settle(world);
  const { lab } = world.gateways[0]!;
  for (const fault of accountFaults(await lab.check())) world.faults.push(`after the sweep: ${fault} (${said})`);
  await compareBooks(world);
  for (const { name } of keptBuckets) await compareBucket(world, clients, name);
  world.damaged.clear();
}

/** What has no good copy left is told as such; then it is put right, as an operator does who has a backup. */
async function tellOnly(world: KeptWorld): Promise<void> {
  const only = await onlyDamaged(world);
  if (only.length === 0) return;
  const { findings } = await world.gateways[0]!.lab.check();
  for (const blob of only) {
    if (!findings.some(({ detail }) => detail.includes(blob.storageKey))) {
      world.faults.push(`nobody is told that ${blob.storageKey} on ${blob.backend} is damaged`);
    }
    if (!blob.isOnly) {
      world.faults.push(`${blob.storageKey} on ${blob.backend} is damaged, and its good copy was let go`);
    }
    mend(world, blob);
  }
}

const left = `select (select count(*) from cleanup where state = 'waiting') + (select count(*) from shortfalls)
  + (select count(*) from surpluses) + (select count(*) from intents) + (select count(*) from uploads where state = 'open')
  + (select count(*) from rewrites where state = 'running') + (select count(*) from storage_migrations where is_open = 1)
  as n`;

/** Gives what the keepers said last, when all of them did what they are for. */
async function settle(world: KeptWorld): Promise<string> {
  let said: string[] = [];
  for (let turn = 0; turn < roundsMax; turn++) {
    await renewLeases(world);
    said = [];
    let isDone = true;
    for (const name of order) {
      const end = await runKeeper(world, turn % 2, name, signal);
      said.push(`${name}: ${end.said}`);
      isDone &&= end.isDone && !end.said.includes('deferred');
    }
    await rest(world);
    await undrainAll(world);
    const [row] = await world.gateways[0]!.lab.store.read((reader) => reader.rows<{ n: number | string }>(left, []));
    if (Number(row!.n) === 0 && isDone && turn > 1) return said.join('; ');
    world.gateways[0]!.lab.clock.advance(longMs);
  }
  world.faults.push(`keepers come to no end: ${said.join('; ')}`);
  return '';
}

function accountFaults({ findings, owedCopies, waitingDeletions, deadLetters, copies, blobs }: CheckReport): string[] {
  return [
    ...findings.map(({ kind, detail }) => `${kind}: ${detail}`),
    ...(owedCopies + waitingDeletions + deadLetters === 0
      ? []
      : [`${owedCopies} copies owed, ${waitingDeletions} deletions waiting, ${deadLetters} dead letters`]),
    ...(blobs === copies ? [] : [`${blobs} blobs for ${copies} copies`]),
  ];
}

/** The books of each backend tell the bytes that are there. */
async function compareBooks({ gateways, backends, faults }: KeptWorld): Promise<void> {
  for (const { name, backend } of backends) {
    const booked = await usedBytes(gateways[0]!.lab.store, name);
    let held = 0;
    for (const [key, { bytes }] of backend.blobs) if (!key.startsWith(ownPrefix)) held += bytes.length;
    if (booked !== held) faults.push(`the books of ${name} say ${booked} bytes, and it holds ${held}`);
  }
}

/** Listings and reads of a bucket against what its clients were told. */
async function compareBucket(world: KeptWorld, clients: readonly KeptClient[], bucket: string): Promise<void> {
  const { lab } = world.gateways[1]!;
  const versions = await listAll(lab, bucket);
  const byKey = Map.groupBy(versions, ({ key }) => key);
  for (const { key, model } of keysOf(clients, bucket)) {
    const seen = (byKey.get(key) ?? []).map((version) => ({
      id: version.isMarker ? null : idOf(version),
      versionId: version.versionId,
    }));
    for (const fault of model.settle(seen)) world.faults.push(`${bucket}/${key}: ${fault}`);
    byKey.delete(key);
  }
  for (const key of byKey.keys()) world.faults.push(`${bucket}/${key} is nobody's`);
  for (const version of versions) await compareVersion(world, lab, version);
  const current = versions.filter(({ isLatest, isMarker }) => isLatest && !isMarker).map(({ key }) => key);
  const { versions: listed } = await lab.gateway.objects.list({ ...firstPage, bucket });
  if (JSON.stringify(listed.map(({ key }) => key)) !== JSON.stringify(current)) {
    world.faults.push(`the listing of ${bucket} is not that of its current versions`);
  }
}

async function compareVersion(world: KeptWorld, lab: Lab, version: ObjectVersion): Promise<void> {
  if (version.isMarker) return;
  const { bucket, key, versionId } = version;
  try {
    const bytes = await read(lab, bucket, key, versionId);
    if (!bytes.equals(bodyOf(idOf(version)))) world.faults.push(`${bucket}/${key} ${versionId} has wrong bytes`);
  } catch (error) {
    world.faults.push(`${bucket}/${key} ${versionId} cannot be read: ${String(error)}`);
  }
}

/** Removes all versions; then nothing may be left but keys. */
export async function clear(world: KeptWorld, clients: readonly KeptClient[]): Promise<void> {
  const { lab } = world.gateways[0]!;
  for (const { name } of keptBuckets) {
    for (const { key, versionId } of await listAll(lab, name)) await remove(lab, name, key, versionId);
    for (const { model } of keysOf(clients, name)) model.entries = [];
  }
  await sweep(world, clients);
  for (const table of ['objects', 'copies', 'object_parts']) {
    const rows = await count(lab.store, table);
    if (rows > 0) world.faults.push(`${rows} rows are left in ${table}`);
  }
}

const firstPage = { prefix: '', delimiter: null, after: null, limit: 1_000 };

async function listAll(lab: Lab, bucket: string): Promise<ObjectVersion[]> {
  const versions: ObjectVersion[] = [];
  let page = await lab.gateway.objects.listVersions({ ...firstPage, bucket });
  versions.push(...page.versions);
  while (page.next !== null) {
    page = await lab.gateway.objects.listVersions({ ...firstPage, bucket, after: page.next });
    versions.push(...page.versions);
  }
  return versions;
}

function keysOf(clients: readonly KeptClient[], bucket: string): KeptKey[] {
  return clients.flatMap(({ keys }) => keys.filter((one) => one.bucket === bucket));
}
