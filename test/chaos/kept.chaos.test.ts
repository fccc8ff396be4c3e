import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type StoreEngine, onEveryStore } from '../support/stores.ts';
import { KeptClient } from './kept-client.ts';
import { round } from './kept-round.ts';
import { clear, sweep } from './kept-sweep.ts';
import { openKeptWorld } from './kept-world.ts';
import { SeededRandom } from './objects-random.ts';

/** `CHAOS_ROUNDS` is how many rounds there are, `CHAOS_SEED` has the first run do what it did in another one. */
const roundsWished = process.env['CHAOS_ROUNDS'];
const roundsBy = { sqlite: 40, postgres: 20 };
const seed = Number(process.env['CHAOS_SEED'] ?? 5_000);
const roundsOfRun = 20;
const roundsBetweenSweeps = 10;
const clientCount = 5;
const roundTimeoutMs = 10_000;

/** A run on a fresh store, which follows from its seed but for how requests meet. */
async function run(engine: StoreEngine, runSeed: number, totals: Record<string, number>): Promise<void> {
  const random = new SeededRandom(runSeed);
  const world = await openKeptWorld(engine, random);
  const clients = Array.from(
    { length: clientCount },
    (_none, index) => new KeptClient(`w${index}`, world, random.fork()),
  );
  try {
    for (let count = 1; count <= roundsOfRun; count++) {
      world.tell(`round ${count}`);
      await round(world, clients);
      assert.deepEqual(world.faults, []);
      if (count % roundsBetweenSweeps !== 0) continue;
      await sweep(world, clients);
      assert.deepEqual(world.faults, []);
    }
    await clear(world, clients);
    assert.deepEqual(world.faults, []);
  } catch (error) {
    const acts = world.told.join('\n  ');
    throw new Error(`CHAOS_SEED=${runSeed} CHAOS_ROUNDS=${roundsOfRun} went wrong; the last acts:\n  ${acts}`, {
      cause: error,
    });
  } finally {
    await world.close();
    for (const [what, count] of Object.entries(world.counts)) totals[what] = (totals[what] ?? 0) + count;
  }
}

onEveryStore('objects kept through kills, lost backends, rot, want of room and all keepers', (engine) => {
  const title =
    'failures 7, 8, 22 and 24: nothing acknowledged is lost, no wrong byte is served, and all bytes are accounted for';
  const rounds = Number(roundsWished ?? roundsBy[engine.name]);
  test(title, { timeout: 120_000 + rounds * roundTimeoutMs }, async (context) => {
    const totals: Record<string, number> = {};
    for (let index = 0; index * roundsOfRun < rounds; index++) await run(engine, seed + index, totals);
    (context as TestContext).diagnostic(`from seed ${seed}: ${JSON.stringify(totals)}`);
    assert.ok(totals['put: done']! > rounds && totals['read: done']! > rounds, 'most requests go well');
  });
});
