import { renewReplica } from '../../src/kernel/operations/ownership.ts';
import type { Keeper } from '../../src/kernel/keepers/keeper.ts';
import { type Lab, type LabBackend, labBackends, openLab, setTestQuota } from '../objects/lab.ts';
import { testRootKeys } from '../objects/test-keys.ts';
import type { StoreEngine } from '../support/stores.ts';
import type { SeededRandom } from './objects-random.ts';

/** Above what a run writes, so that only a backend that is to be full is. */
export const baseQuotaBytes = 512 * 1024 ** 2;
const backendCount = 4;
const leaseMs = 600_000;
const toldActs = 60;

export const expiringPrefix = 'old/';

export interface KeptBucket {
  readonly name: string;
  readonly isVersioned: boolean;
}

/** Between them they demand all that can be demanded of objects. */
export const keptBuckets: readonly KeptBucket[] = [
  { name: 'plain', isVersioned: false },
  { name: 'safe', isVersioned: true },
  { name: 'sealed', isVersioned: false },
  { name: 'single', isVersioned: false },
];

export type KeeperName = keyof ReturnType<Lab['keepers']>;

/** A gateway process and its keepers. */
export interface KeptGateway {
  readonly lab: Lab;
  readonly keepers: Readonly<Record<KeeperName, Keeper>>;
}

/** What became of a blob, and what it was. */
export interface DamagedBlob {
  readonly backend: string;
  readonly storageKey: string;
  readonly whole: { readonly bytes: Buffer; readonly modifiedAtMs: number };
  /** Whether no other copy was right: it must be told, never served, and never let go. */
  readonly isOnly: boolean;
}

/** What a run of chaos goes over. */
export interface KeptWorld {
  readonly random: SeededRandom;
  readonly backends: readonly LabBackend[];
  /** Two, each of which may be replaced by the one that comes after it. */
  readonly gateways: KeptGateway[];
  /** Keepers that somebody has paused. */
  readonly paused: Set<KeeperName>;
  readonly quotas: Map<string, number>;
  /** Blobs that were spoiled behind the gateways' back, by backend and storage key. */
  readonly damaged: Map<string, DamagedBlob>;
  /** What must not be. */
  readonly faults: string[];
  /** The last things that were done. */
  readonly told: string[];
  tell(act: string): void;
  /** Counts how requests ended, so that a test can see that most went well. */
  count(what: string): void;
  readonly counts: Record<string, number>;
  close(): Promise<void>;
}

export async function openKeptWorld(engine: StoreEngine, random: SeededRandom): Promise<KeptWorld> {
  const backends = labBackends(backendCount, { quotaBytes: baseQuotaBytes });
  const first = await openLab(engine, backends, testRootKeys('root', 'other'));
  await createBuckets(first);
  const gateways = [gatewayOf(first), gatewayOf(await first.another())];
  const told: string[] = [];
  const counts: Record<string, number> = {};
  return {
    random,
    backends,
    gateways,
    paused: new Set(),
    quotas: new Map(backends.map(({ name }) => [name, baseQuotaBytes])),
    damaged: new Map(),
    faults: [],
    told,
    tell: (act) => {
      told.push(act);
      if (told.length > toldActs) told.shift();
    },
    count: (what) => void (counts[what] = (counts[what] ?? 0) + 1),
    counts,
    close: async () => {
      for (const { lab } of gateways) await lab.close();
      // An embedded store is closed by who has opened it.
      if (first.store.exclusive && gateways[0]!.lab !== first) await first.close();
    },
  };
}

export function gatewayOf(lab: Lab): KeptGateway {
  const keepers = lab.keepers({ unhealthyAfterMs: 50, readBack: 'always', unknown: 'delete-after' });
  return { lab, keepers };
}

async function createBuckets(lab: Lab): Promise<void> {
  const rule = (inner: string) =>
    `<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>${expiringPrefix}</Prefix></Filter><Status>Enabled</Status>${inner}</Rule></LifecycleConfiguration>`;
  const lifecycle = rule('<Expiration><Days>1</Days></Expiration>');
  const ofVersions = rule(
    '<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>',
  );
  await lab.bucket('plain', { copies: 2, durability: 'one', placement: 'spread', lifecycle });
  await lab.bucket('safe', {
    copies: 3,
    durability: 'quorum',
    placement: 'spread',
    versioning: 'enabled',
    lifecycle: ofVersions,
  });
  await lab.bucket('sealed', {
    copies: 2,
    durability: 'all',
    encryption: { kind: 'aes256' },
    compression: 'zstd',
    lifecycle,
  });
  await lab.bucket('single', { copies: 1, placement: 'spread', compression: 'zstd', lifecycle });
}

/** As the beat of a process does. */
export async function renewLeases({ gateways }: KeptWorld): Promise<void> {
  for (const { lab } of gateways) await lab.store.write(renewReplica, { id: lab.replicaId, ttlMs: leaseMs });
}

export async function setQuota({ gateways, quotas }: KeptWorld, name: string, quotaBytes: number): Promise<void> {
  await gateways[0]!.lab.store.write(setTestQuota, { name, quotaBytes });
  quotas.set(name, quotaBytes);
}
