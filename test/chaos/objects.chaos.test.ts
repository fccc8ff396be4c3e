import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { type TestContext, describe, it } from 'node:test';
import type { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { openStore } from '../../src/kernel/store/open.ts';
import type { Reader } from '../../src/kernel/store/store.ts';
import { migrations } from '../../src/migrations.ts';
import { apacheMissing } from '../support/apache.ts';
import { postgresMissing, startPostgres } from '../support/postgres.ts';
import { requireReal } from '../support/stores.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { Acts } from './objects-acts.ts';
import { checkContents, removeEverything, settle } from './objects-aftermath.ts';
import { type ChaosBackends, startChaosBackends } from './objects-backends.ts';
import { Bodies } from './objects-bodies.ts';
import { leftInBooks, wrongCopyCounts } from './objects-books.ts';
import { S3Client } from './objects-client.ts';
import { checkDecay, spareCopies, spoil } from './objects-decay.ts';
import { Fleet, killWithThisProcess } from './objects-fleet.ts';
import { History } from './objects-history.ts';
import { SeededRandom } from './objects-random.ts';
import { storm } from './objects-storm.ts';
import { Worker, chaosBuckets } from './objects-workload.ts';

/** `CHAOS_SECONDS` is how long each storm goes on, `CHAOS_SEED` has the clients do what they did in another run. */
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 6);
const seed = Number(process.env['CHAOS_SEED'] ?? randomInt(2 ** 31));
const workers = 7;
const leaseMs = 2_000;
/** After the storm, when no request is refused any more, a busy machine must not cost a gateway its lease. */
const steady = { 'lease-ttl': '30s' };
const testTimeoutMs = 240_000 + seconds * 4_000;

interface Variant {
  readonly gateways: number;
  readonly killsMin: number;
  readonly databaseUrl: string | undefined;
}

/** What a storm goes over. */
interface Scene extends Variant {
  readonly random: SeededRandom;
  readonly directory: string;
  readonly fleet: Fleet;
  readonly backends: ChaosBackends;
  readonly bodies: Bodies;
  readonly history: History;
  /** Tells of how the storm went, and how long each part of the test took. */
  tell(sentence: string): void;
}

/** A storm over gateways and backends, and then: nothing lost, nothing doubled, nothing left over, and the books exact. */
async function weather(context: TestContext, variant: Variant): Promise<void> {
  const beganAtMs = performance.now();
  const tell = (sentence: string) =>
    context.diagnostic(`${((performance.now() - beganAtMs) / 1_000).toFixed(1)} s: ${sentence}`);
  tell(`the seed is ${seed}`);
  const random = new SeededRandom(seed);
  await using directory = await temporaryDirectory();
  const flags = {
    'data-dir': directory.path,
    'lease-ttl': `${leaseMs}ms`,
    // So often that kills meet it: what they leave of a backup must go with the next one.
    'object-ledger-backup-interval': '1s',
    // Longer than a gateway is paused after others gave its writes up: it may write one when it wakes, and be killed.
    'object-second-look': '6s',
    'object-retry-wait': '200ms',
    ...(variant.databaseUrl === undefined ? {} : { 'database-url': variant.databaseUrl }),
  };
  const backends = await startChaosBackends(directory.path, random.fork());
  const fleet = new Fleet(variant.gateways, flags, random.fork());
  using _killing = killWithThisProcess(fleet);
  try {
    const bodies = new Bodies(random.fork());
    const history = new History();
    const scene = { ...variant, random, directory: directory.path, fleet, backends, bodies, history, tell };
    for (let index = 0; index < variant.gateways; index++) await fleet.start(index);
    const client = await prepare(fleet, backends.add);
    const acts = new Acts({ client, bodies, history });
    await blow(scene, acts);
    await account(scene, acts);
    client.close();
  } catch (error) {
    console.log(`chaos: the seed was ${seed}; the gateways said: ${fleet.output()}`);
    throw error;
  } finally {
    await fleet.killAll();
    await backends.close();
  }
}

/** The storm, with clients that work through it. */
async function blow(scene: Scene, acts: Acts): Promise<void> {
  const { fleet, backends, bodies, history, random, killsMin, tell } = scene;
  const over = new AbortController();
  const { signal } = over;
  const isUp = () => fleet.any() !== null;
  const load = Array.from({ length: workers }, (_none, index) =>
    new Worker(`w${index}`, { acts, bodies, history, random: random.fork(), signal, isUp }).run(),
  );
  tell('the storm begins');
  try {
    const report = await storm({ fleet, backends, history, random: random.fork(), seconds, killsMin, leaseMs });
    const { kills, pauses, strikes } = report;
    tell(`${kills} kills, ${pauses} pauses, ${strikes.length} strikes, ${history.done} changes`);
  } finally {
    over.abort();
    await Promise.all(load);
  }
  tell(JSON.stringify(history.counts));
  tell(JSON.stringify(backends.proxies.map(({ met }) => met)));
}

/** When all is calm: every byte is accounted for, all that was acknowledged is there, and what is removed is gone. */
async function account(scene: Scene, acts: Acts): Promise<void> {
  const { fleet, backends, bodies, history, databaseUrl, directory, tell } = scene;
  const settings = { databaseUrl, dataDirectory: directory, timeoutMs: 5_000, migrations };
  const readStore = async <R>(query: (reader: Reader) => Promise<R>): Promise<R> => {
    const store = await openStore(settings, { owner: false });
    try {
      return await store.read(query);
    } finally {
      await store.close();
    }
  };
  await fleet.killAll();
  const calm = await fleet.start(0, steady);
  await backends.beWaitedFor(calm.client);
  assert.deepEqual(await settle(calm.client), []);
  tell('the gateway is settled');
  assert.deepEqual(await checkContents({ acts, bodies, history }), []);
  assert.deepEqual(history.faults, []);
  tell('the contents are right');
  await fleet.stop(0);
  assert.deepEqual(await readStore(wrongCopyCounts), []);

  const spoiled = await spoil(backends, await readStore(spareCopies));
  const last = await fleet.start(0, steady);
  await checkDecay(last.client, backends, spoiled);
  assert.deepEqual(await settle(last.client), []);
  assert.deepEqual(await checkContents({ acts, bodies, history }), []);
  tell(`${spoiled.length} spoiled copies were found and made good`);
  await removeEverything(acts);
  assert.deepEqual(await settle(last.client), []);
  await fleet.stop(0);
  assert.deepEqual(await readStore(leftInBooks), []);
  assert.deepEqual(await backends.files(), []);
  tell('nothing is left over');
}

/** Backends, buckets, and a client with a key. */
async function prepare(fleet: Fleet, addBackends: (client: Client) => Promise<void>): Promise<S3Client> {
  const { client } = fleet.get(0);
  await addBackends(client);
  const key = await client.call(contract.createKey, { body: {} });
  for (const { name, copies, durability, placement, isVersioned } of chaosBuckets) {
    const versioning = isVersioned ? ({ versioning: 'enabled' } as const) : {};
    await client.call(contract.createBucket, { body: { name, copies, durability, placement, ...versioning } });
  }
  const credentials = { accessKey: key.access_key, secret: key.secret, region: 'us-east-1' };
  return new S3Client(() => fleet.any()?.s3Url ?? '', credentials);
}

const noApache = apacheMissing();
const noPostgres = await postgresMissing();

describe('objects in a storm', { skip: noApache !== null && !requireReal ? noApache : false }, () => {
  it('one gateway is killed again and again while backends fail', { timeout: testTimeoutMs }, (context) =>
    weather(context as TestContext, { gateways: 1, killsMin: 4, databaseUrl: undefined }),
  );

  it(
    'two gateways on one PostgreSQL are killed and paused while backends fail',
    { timeout: testTimeoutMs, skip: noPostgres !== null && !requireReal ? noPostgres : false },
    async (context) => {
      const postgres = await startPostgres();
      try {
        const databaseUrl = await postgres.createDatabase();
        await weather(context as TestContext, { gateways: 2, killsMin: 2, databaseUrl });
      } finally {
        await postgres.stop();
      }
    },
  );
});
