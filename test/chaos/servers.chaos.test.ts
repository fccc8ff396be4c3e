import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { createFileBackend } from '../../src/volumes/backends/file/file.ts';
import { openStore } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { migrations } from '../../src/migrations.ts';
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { requireReal } from '../support/stores.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import { brokenInvariants } from './invariants.ts';

const clients = 6;
const kills = 6;
const missing = await postgresMissing();

/** What one client was promised: an accepted operation for each change it asked for. */
interface Promised {
  readonly operations: Set<string>;
  readonly volumes: Set<string>;
}

describe(
  'two servers on one PostgreSQL, killed at random under load',
  { skip: missing !== null && !requireReal ? missing : false },
  () => {
    let postgres: PostgresServer;
    let databaseUrl: string;
    let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
    const servers: ServeProcess[] = [];

    before(async () => {
      postgres = await startPostgres();
      databaseUrl = await postgres.createDatabase();
      directory = await temporaryDirectory();
    });
    after(async () => {
      await Promise.all(servers.map((server) => server.kill()));
      await postgres.stop();
      await directory[Symbol.asyncDispose]();
    });

    function start(): Promise<ServeProcess> {
      return serveProcess({
        port: '0',
        'data-dir': directory.path,
        'database-url': databaseUrl,
        'log-level': 'warn',
        'lease-ttl': '2s',
        'volume-retry-initial-wait': '50ms',
      });
    }

    it('loses nothing, doubles nothing, and leaves nothing stuck', async () => {
      servers.push(await start(), await start());
      const promised: Promised = { operations: new Set(), volumes: new Set() };
      const stopping = new AbortController();
      const load = Array.from({ length: clients }, (_, index) => drive(index, promised, stopping.signal));
      for (let kill = 0; kill < kills; kill++) {
        await until(`some work before kill ${kill + 1}`, () => promised.operations.size >= (kill + 1) * 8, 60_000);
        await delay(Math.random() * 200); // not luck: the moment of death is what is being tried
        const victim = Math.floor(Math.random() * servers.length);
        await servers[victim]!.kill();
        servers[victim] = await start();
      }
      stopping.abort();
      await Promise.all(load);
      await servers[0]!.kill();
      servers.shift();

      const settings = { databaseUrl, dataDirectory: '', timeoutMs: 5_000, migrations };
      const store = await openStore(settings, { owner: false });
      try {
        await until('no operation is under way', () => isIdle(store), 60_000);
        assert.deepEqual(await brokenInvariants(store, promised.operations), []);
        await checkVolumes(store);
      } finally {
        await store.close();
      }
      assert.ok(promised.operations.size >= kills * 8);
    });

    /** Creates, attaches, detaches and deletes volumes on whichever server answers, and remembers every promise. */
    async function drive(index: number, promised: Promised, signal: AbortSignal): Promise<void> {
      for (let round = 0; round < 1_000 && !signal.aborted; round++) {
        const volume = `v-${index}-${round}`;
        const params = { volume };
        await ask(promised, signal, (server) =>
          server.client.call(contract.createVolume, {
            body: { name: volume, size: '1MiB' },
            idempotencyKey: `${volume}-create`,
          }),
        );
        await ask(promised, signal, (server) =>
          server.client.call(contract.attachVolume, {
            params,
            body: { node_id: 'n1' },
            idempotencyKey: `${volume}-attach`,
          }),
        );
        await ask(promised, signal, (server) =>
          server.client.call(contract.createSnapshot, {
            params,
            body: { name: 's' },
            idempotencyKey: `${volume}-snapshot`,
          }),
        );
        await ask(promised, signal, (server) =>
          server.client.call(contract.detachVolume, { params, body: {}, idempotencyKey: `${volume}-detach` }),
        );
        if (round % 2 === 0) {
          await ask(promised, signal, (server) =>
            server.client.call(contract.deleteVolume, { params, idempotencyKey: `${volume}-delete` }),
          );
        }
      }
    }

    /** Repeats one wish under its key until a server has accepted it and it has ended. */
    async function ask(
      promised: Promised,
      signal: AbortSignal,
      send: (server: ServeProcess) => Promise<{ operation_id: string; volume_id: string | null }>,
    ): Promise<void> {
      let operationId: string | null = null;
      await until(
        'a server answers',
        async () => {
          const server = servers[Math.floor(Math.random() * servers.length)]!;
          try {
            operationId ??= (await send(server)).operation_id;
            promised.operations.add(operationId);
            const operation = await server.client.call(contract.getOperation, { params: { id: operationId } });
            return operation.finished_at !== null || signal.aborted;
          } catch (error) {
            // A refusal is an answer only while nothing was promised; a dead server is no answer at all.
            if (error instanceof ApiError && error.status === 409 && operationId === null) return true;
            if (error instanceof ApiError && error.status === 404 && operationId === null) return true;
            if (error instanceof ApiError && error.status < 500) throw error;
            return signal.aborted;
          }
        },
        60_000,
      );
    }

    /** The store against the real system: each living volume has its image, each image its volume, attachments agree. */
    async function checkVolumes(store: Store): Promise<void> {
      const backend = createFileBackend({ name: 'file', directory: `${directory.path}/volumes` });
      const context = { signal: AbortSignal.timeout(30_000) };
      const rows = await store.read((reader) =>
        reader.rows<{ id: string; state: string; image: string; purged_at: number | null }>(
          'select id, state, image, purged_at from volumes',
          [],
        ),
      );
      const images = new Map<string, { volumeId: string | null }>();
      for (let after: string | undefined; ;) {
        const page = await backend.list(context, { ...(after === undefined ? {} : { after }), limit: 500 });
        for (const facts of page) images.set(facts.image, facts);
        if (page.length < 500) break;
        after = page.at(-1)!.image;
      }
      for (const { id, state, image } of rows) {
        const facts = await backend.inspect(context, image);
        if (state === 'deleted') assert.notEqual(facts?.place, 'live', `${id} is deleted and its image lives`);
        else {
          assert.ok(['available', 'attached'].includes(state), `${id} is ${state}`);
          assert.equal(facts?.volumeId, id);
          assert.equal(facts?.complete, true);
          assert.equal(facts?.attachment !== null, state === 'attached', `${id} is ${state}, its image says otherwise`);
        }
      }
      const known = new Set(rows.map(({ image }) => image));
      for (const image of images.keys()) assert.ok(known.has(image), `image ${image} belongs to no volume`);
      await backend.close();
    }
  },
);

async function isIdle(store: Store): Promise<boolean> {
  const rows = await store.read((reader) =>
    reader.rows(`select id from operations where status in ('pending', 'executing') limit 1`, []),
  );
  return rows.length === 0;
}
