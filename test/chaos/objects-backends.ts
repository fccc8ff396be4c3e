import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { pathOfKey } from '../../src/objects/backends/remote-tree/key-path.ts';
import { startApache } from '../support/apache.ts';
import { type DiskMode, mountSmallDisk } from './objects-disk.ts';
import { FaultProxy, type FaultMode, faultModes } from './objects-proxy.ts';
import type { SeededRandom } from './objects-random.ts';

const smallDiskBytes = 64 * 1024 ** 2;
const quotaShare = 0.6;

/** What was done to one of the backends. */
export interface Strike {
  readonly where: string;
  readonly mode: FaultMode | DiskMode;
}

/** Where the objects of a storm stand, and what can be done to these places. */
export interface ChaosBackends {
  readonly proxies: readonly FaultProxy[];
  /** Does harm to one of them, or lets it be; gives what it did. What nothing has met yet comes first. */
  strike(random: SeededRandom): Promise<Strike>;
  /** Kinds of harm that no exchange has met yet. */
  unmet(): readonly FaultMode[];
  heal(): Promise<void>;
  add(client: Client): Promise<void>;
  /** Has the gateway wait for them as long as it usually would: what fails now is a fault, and not a busy machine. */
  beWaitedFor(client: Client): Promise<void>;
  /** Has all of them hold whatever there is. */
  makeRoom(client: Client): Promise<void>;
  /** Where a copy stands as a file, on a WebDAV server. */
  pathOf(backend: string, storageKey: string): string;
  /** Files that hold bytes of objects, finished or not, as the real systems have them. */
  files(): Promise<string[]>;
  close(): Promise<void>;
}

const calmPerDeal = 4;

/** Two directories, one of them a small disk where that is possible, and two WebDAV servers behind proxies that lie. */
export async function startChaosBackends(directory: string, random: SeededRandom): Promise<ChaosBackends> {
  const apaches = [await startApache(), await startApache()];
  const proxies = apaches.map(({ url }) => new FaultProxy(new URL(url), random.fork()));
  const urls: string[] = [];
  for (const proxy of proxies) urls.push(await proxy.listen());
  const diskPaths = [join(directory, 'disk'), join(directory, 'small-disk')];
  const small = await mountSmallDisk(diskPaths[1]!, smallDiskBytes);
  let dealt: FaultMode[] = [];
  const unmet = () => faultModes.filter((mode) => !proxies.some(({ met }) => (met[mode] ?? 0) > 0));
  const setAll = async (mode: FaultMode, disk: DiskMode) => {
    for (const proxy of proxies) proxy.mode = mode;
    await small?.set(disk);
  };
  return {
    proxies,
    async strike(chance) {
      if (small !== null && chance.isChance(0.15)) {
        const mode = chance.weighted<DiskMode>({ none: 2, full: 1, 'read-only': 1 });
        await small.set(mode);
        return { where: 'small disk', mode };
      }
      const index = chance.below(proxies.length);
      if (dealt.length === 0) dealt = deal(unmet().length > 0 ? unmet() : faultModes, chance);
      const mode = dealt.pop()!;
      proxies[index]!.mode = mode;
      return { where: `dav-${index + 1}`, mode };
    },
    unmet,
    heal: () => setAll('none', 'none'),
    async add(client) {
      const quota = small === null ? {} : { quota_bytes: `${Math.floor(smallDiskBytes * quotaShare)}` };
      const timeouts = { connect_timeout_ms: '1000', idle_timeout_ms: '800' };
      for (const [index, path] of diskPaths.entries()) {
        const body = { name: `disk-${index + 1}`, kind: 'filesystem', config: { path }, position: 2 * index };
        await client.call(contract.addObjectBackend, { body: { ...body, ...(index === 1 ? quota : {}) } });
      }
      for (const [index, { username, password }] of apaches.entries()) {
        const config = { url: urls[index]!, username, ...timeouts };
        const body = {
          name: `dav-${index + 1}`,
          kind: 'webdav',
          config,
          secrets: { password },
          position: 1 + 2 * index,
        };
        await client.call(contract.addObjectBackend, { body });
      }
    },
    beWaitedFor: (client) => resetTimeouts(client, apaches.length),
    async makeRoom(client) {
      await small?.grow();
      const params = { backend: 'disk-2' };
      await client.call(contract.changeObjectBackend, { params, body: { quota_bytes: null } });
    },
    pathOf(backend, storageKey) {
      const { directory: root } = apaches[Number(backend.slice('dav-'.length)) - 1]!;
      return join(root, 'blobs', ...pathOfKey(storageKey));
    },
    files: () =>
      filesBelow([
        ...diskPaths.flatMap((path) => [join(path, 'blobs'), join(path, 'tmp')]),
        ...apaches.flatMap(({ directory: path }) => [join(path, 'blobs'), join(path, 'uploads')]),
      ]),
    async close() {
      await setAll('none', 'none');
      await Promise.all([...proxies, ...apaches].map((one) => ('stop' in one ? one.stop() : one.close())));
      await small?.unmount();
    },
  };
}

async function resetTimeouts(client: Client, davs: number): Promise<void> {
  const config = { connect_timeout_ms: null, idle_timeout_ms: null };
  for (let index = 1; index <= davs; index++) {
    const params = { backend: `dav-${index}` };
    // Copies that harm has taken away are found by what comes next.
    await client.call(contract.changeObjectBackend, { params, body: { config, force: true } });
  }
}

/** Each mode once, in an order of chance, with calm between them. */
function deal(modes: readonly FaultMode[], random: SeededRandom): FaultMode[] {
  const cards: FaultMode[] = [...modes, ...Array.from({ length: calmPerDeal }, () => 'none' as const)];
  return cards
    .map((mode) => ({ mode, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ mode }) => mode);
}

async function filesBelow(roots: readonly string[]): Promise<string[]> {
  const found = roots.map(async (root) => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  });
  return (await Promise.all(found)).flat().filter((path) => !isOwn(path));
}

/** What the gateway keeps there for itself, such as the backup of its ledger, is nobody's object. */
function isOwn(path: string): boolean {
  return path.includes('/blobs/.holdfast') || path.includes('/blobs/_2eholdfast_d/');
}
