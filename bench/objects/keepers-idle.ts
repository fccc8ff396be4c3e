import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/kernel/config/config.ts';
import { createIdSource, systemClock } from '../../src/kernel/ids.ts';
import type { Keeper } from '../../src/kernel/keepers/keeper.ts';
import { registerReplica } from '../../src/kernel/operations/ownership.ts';
import { openSealer } from '../../src/kernel/secrets/open.ts';
import { openStore } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { createLog } from '../../src/kernel/telemetry/log.ts';
import { createMetrics } from '../../src/kernel/telemetry/metrics.ts';
import { migrations } from '../../src/migrations.ts';
import { addBackend } from '../../src/objects/backends/management/add.ts';
import { createObjectParts } from '../../src/objects/parts.ts';
import { postgresMissing, startPostgres } from '../../test/support/postgres.ts';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { fillLedger } from '../support/fill-ledger.ts';
import { listedBackend } from '../support/listed-backend.ts';
import { row } from '../support/report.ts';

/** The second are what the target of the project is about. */
const scales = {
  quick: { sqlite: [20_000, 200_000], postgres: [5_000, 50_000] },
  full: { sqlite: [100_000, 1_000_000], postgres: [10_000, 100_000] },
} as const;
const backends = ['disk1', 'disk2', 'disk3'];
/** Runs after the first; the middle one counts. */
const repeats = 5;
/** What takes less than this grows with nothing, whatever the quotient of two such figures is. */
const floorMs = 20;
const growthMax = 2;
const lifecycle = `<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>
  <Expiration><Days>365</Days></Expiration>
  <NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration>
  <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>
  </Rule></LifecycleConfiguration>`;

/** Those that go through all there is, for that is their work, and how much of it in one pass. */
const byDesign: Readonly<Record<string, string>> = {
  'object-reconciler': 'compares all listings with the ledger, 1,000 a page with a mark; once a day',
  'object-ledger-backup': 'the first tells everything, later ones what changed',
};

/** How long the first pass took, and the middle one of those after it. */
interface Passes {
  readonly firstMs: number;
  readonly laterMs: number;
  readonly told: string;
}

/** What a pass of each keeper costs that finds nothing to do, among few objects and among many. */
export async function benchObjectKeepersIdle(): Promise<void> {
  const { sqlite, postgres } = process.env['BENCH_FULL'] === '1' ? scales.full : scales.quick;
  await compare('SQLite', sqlite, undefined);
  if ((await postgresMissing()) !== null) return;
  const server = await startPostgres();
  await compare('PostgreSQL', postgres, () => server.createDatabase());
  await server.stop();
}

async function compare(
  engine: string,
  [few, many]: readonly [number, number],
  database: (() => Promise<string>) | undefined,
): Promise<void> {
  const before = await passesAmong(few, await database?.());
  const after = await passesAmong(many, await database?.());
  for (const [keeper, { firstMs, laterMs, told }] of after) {
    const { firstMs: firstBefore, laterMs: laterBefore } = before.get(keeper)!;
    const growth = Math.max(laterMs, floorMs) / Math.max(laterBefore, floorMs);
    const figures = `first ${ms(firstBefore)} and ${ms(firstMs)}, then ${ms(laterBefore)} and ${ms(laterMs)}`;
    const about = byDesign[keeper] ?? (growth > growthMax ? 'GROWS' : told);
    row(`${engine}: ${keeper} among ${few} and ${many}`, `${figures} (${growth.toFixed(1)}x); ${about}`);
  }
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

async function passesAmong(versions: number, databaseUrl: string | undefined): Promise<ReadonlyMap<string, Passes>> {
  await using directory = await temporaryDirectory();
  const dataDirectory = join(directory.path, 'data');
  const store = await openStore({ databaseUrl, dataDirectory, timeoutMs: 120_000, migrations }, { owner: true });
  const nowMs = Date.now();
  for (const name of backends) await addDisk(store, name, join(directory.path, name), nowMs);
  const beganAt = performance.now();
  await fillLedger(store, { versions, lifecycle, nowMs });
  row(`ledger filled with ${versions} versions and ${2 * versions} copies`, ms(performance.now() - beganAt));
  const env = { HOLDFAST_DATA_DIR: dataDirectory };
  const { values } = loadConfig({ flags: {}, env });
  const newId = createIdSource();
  const owner = newId('rep');
  await store.write(registerReplica, { id: owner, ttlMs: 3_600_000, detail: 'bench', nowMs });
  const parts = await createObjectParts({
    values,
    store,
    sealer: await openSealer(store, values),
    clock: systemClock,
    newId,
    log: createLog({ level: 'warn' }),
    metrics: createMetrics(),
    wake: () => {},
    owner: () => owner,
    hasNotificationTarget: async () => false,
    settings: [],
    wrapBackend: (name, real) => (name === backends.at(-1) ? real : listedBackend(real, versions)),
  });
  const found = new Map<string, Passes>();
  for (const keeper of parts.keepers) found.set(keeper.name, await passesOf(keeper));
  await parts.stop();
  await store.close();
  return found;
}

async function passesOf(keeper: Keeper): Promise<Passes> {
  const { signal } = new AbortController();
  let told = '';
  const timed = async () => {
    const beganAt = performance.now();
    told = await keeper.run(signal);
    return performance.now() - beganAt;
  };
  const firstMs = await timed();
  const later: number[] = [];
  for (let repeat = 0; repeat < (keeper.name in byDesign ? 1 : repeats); repeat++) later.push(await timed());
  later.sort((a, b) => a - b);
  return { firstMs, laterMs: later[Math.floor(later.length / 2)]!, told };
}

async function addDisk(store: Store, name: string, path: string, nowMs: number): Promise<void> {
  await mkdir(path, { recursive: true });
  const limits = {
    quota_bytes: null,
    object_bytes_max: null,
    month_requests_max: null,
    month_ingress_bytes_max: null,
    month_egress_bytes_max: null,
  };
  const config = JSON.stringify({ path });
  const backend = { name, kind: 'filesystem', config, secrets: null, labels: '{}', position: null, ...limits };
  await store.write(addBackend, { backend, backendsMax: 10, doing: { actor: 'bench', nowMs } });
}

if (import.meta.main) await benchObjectKeepersIdle();
