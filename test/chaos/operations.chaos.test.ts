import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createIdSource, systemClock } from '../../src/kernel/ids.ts';
import { Engine } from '../../src/kernel/operations/engine.ts';
import { kernelMigration } from '../../src/kernel/store/migrations/0001_kernel.ts';
import { openStore } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { onEveryStore } from '../support/stores.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import { chaosKind, chaosMigration } from './chaos-kind.ts';
import type { ChaosSettings } from './chaos-server.ts';
import { brokenInvariants } from './invariants.ts';

const script = fileURLToPath(new URL('./chaos-server.ts', import.meta.url));
const kills = 8;

/** A server under load, and what it acknowledged. */
class Server {
  readonly acknowledged: Set<string>;
  readonly #child: ChildProcess;
  readonly #errors: Buffer[] = [];
  #own = 0;

  constructor(settings: ChaosSettings, acknowledged: Set<string>) {
    this.acknowledged = acknowledged;
    this.#child = fork(script, [JSON.stringify(settings)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child.stderr!.on('data', (text: Buffer) => this.#errors.push(text));
    this.#child.on('message', (id) => {
      acknowledged.add(String(id));
      this.#own++;
    });
  }

  /** Kills it at a moment of chance, some time after it began to answer. */
  async killUnderLoad(): Promise<void> {
    const enough = 20 + Math.floor(Math.random() * 150);
    await until('the server answers', () => {
      assert.equal(this.#child.exitCode, null, `the server ended by itself: ${Buffer.concat(this.#errors).toString()}`);
      return this.#own >= enough;
    });
    await this.kill();
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

onEveryStore('operations under SIGKILL', (engine) => {
  test(`${kills} kills lose nothing, double nothing and leave nothing behind`, { timeout: 240_000 }, async () => {
    await using directory = await temporaryDirectory();
    const store = await engine.fresh([kernelMigration, chaosMigration]);
    const effectsFile = join(directory.path, 'effects');
    const { databaseUrl, dataDirectory } = store;
    const settings = { databaseUrl, dataDirectory, effectsFile, lanes: 12, rows: 30 };
    const acknowledged = new Set<string>();
    // An embedded store has one server at a time; else two, of which one is always up.
    const servers = Array.from({ length: engine.server === null ? 1 : 2 }, () => new Server(settings, acknowledged));
    try {
      for (let count = 0; count < kills; count++) {
        const victim = Math.floor(Math.random() * servers.length);
        await servers[victim]!.killUnderLoad();
        servers[victim] = new Server(settings, acknowledged);
      }
      for (const server of servers) await server.killUnderLoad();
    } finally {
      for (const server of servers) await server.kill();
    }
    const opened = await openStore(store, { owner: true });
    try {
      await comeToRest(opened, effectsFile);
      assert.deepEqual(await brokenInvariants(opened, acknowledged), []);
      await checkDomain(opened);
      await checkEffects(opened, effectsFile);
    } finally {
      await opened.close();
    }
  });
});

/** The last server, which is not killed: it finishes what all the others left. */
async function comeToRest(store: Store, effectsFile: string): Promise<void> {
  const newId = createIdSource();
  const engine = new Engine({ store, clock: systemClock, newId, runningMax: 16, heldMax: 2_000, leaseTtlMs: 8_000 });
  engine.register(chaosKind(effectsFile));
  await engine.start();
  await until('nothing is left to do', async () => {
    await engine.adoptNow();
    const [left] = await store.read((reader) =>
      reader.rows<{ count: number }>('select count(*) as count from operations where finished_at is null', []),
    );
    return left!.count === 0;
  });
  await engine.stop(1_000);
}

/** Each accepted operation did each of its three commits once, and no more was done than was accepted. */
async function checkDomain(store: Store): Promise<void> {
  const rows = await store.read((reader) =>
    reader.rows<{ id: string; accepted: number; one: number; two: number; three: number; operations: number }>(
      `select c.*, (select count(*) from operations o where o.resource = 'row:' || c.id and o.status = 'completed')
         as operations from chaos_rows c`,
      [],
    ),
  );
  assert.ok(rows.length > 0);
  for (const { id, accepted, one, two, three, operations } of rows) {
    const seen = { one, two, three, operations };
    assert.deepEqual(seen, { one: accepted, two: accepted, three: accepted, operations: accepted }, `row ${id}`);
  }
}

/**
 * No effect is missing, and those of one resource carry fences that never fall. A kill between an effect and its
 * commit repeats it under the same token and a higher fence, which is what lets the real system tell the two apart.
 */
async function checkEffects(store: Store, effectsFile: string): Promise<void> {
  const lines = (await readFile(effectsFile, 'utf8')).trim().split('\n');
  const highest = new Map<string, number>();
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const line of lines) {
    const [resource, fence, token] = line.split(' ') as [string, string, string];
    assert.ok(Number(fence) >= (highest.get(resource) ?? 0), `${token} acted under fence ${fence} of the past`);
    highest.set(resource, Number(fence));
    const effect = `${token} ${fence}`;
    assert.ok(!seen.has(effect), `${token} acted twice under fence ${fence}`);
    if (seen.has(token)) repeated.add(token);
    seen.add(effect).add(token);
  }
  const operations = await store.read((reader) =>
    reader.rows<{ id: string; takeovers: number }>('select id, takeovers from operations', []),
  );
  for (const { id, takeovers } of operations) {
    const own = ['one', 'two', 'three'].map((step) => `${id}/${step}`);
    for (const token of own) assert.ok(seen.has(token), `${token} never acted`);
    const again = own.filter((token) => repeated.has(token));
    assert.ok(again.length <= takeovers, `${id} repeated ${again.join(', ')} after ${takeovers} takeovers`);
  }
}
