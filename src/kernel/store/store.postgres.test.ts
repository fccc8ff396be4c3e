import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../../../test/support/free-port.ts';
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/support/postgres.ts';
import { requireReal, type StoreEngine } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { HoldfastError } from '../errors/errors.ts';
import { conformanceMigrations, oneSentence, openConformanceStore, rejection } from './conformance-support.ts';
import { addOne, putRow, valueOf } from './conformance-transactions.ts';
import { openTransaction } from './raw-transaction.ts';
import { rudeProxy } from './rude-proxy.ts';
import { openStore, type StoreSettings } from './open.ts';

const missing = await postgresMissing();

describe('the store on PostgreSQL', { skip: missing !== null && !requireReal ? `left out: ${missing}` : false }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  const engine: StoreEngine = {
    name: 'postgres',
    server: async () => server,
    fresh: async () => settingsOf(await server.createDatabase()),
  };

  test('a server that is down, a wrong name or a wrong database gives one sentence', async () => {
    const url = await server.createDatabase();
    const absent = new URL(url);
    absent.pathname = '/no_such_database';
    const urls = [`postgres://holdfast@127.0.0.1:${await freePort()}/x`, absent.href, 'postgres://a@no.such.host/x'];
    for (const databaseUrl of urls) {
      const error = await rejection(openStore(settingsOf(databaseUrl), { owner: true }), 'unavailable');
      assert.match(error.message, oneSentence);
    }
  });

  test('a DATABASE_URL that is none is refused by name', async () => {
    for (const databaseUrl of [
      'mysql://127.0.0.1/x',
      'postgres://in valid:port/x',
      'postgres://127.0.0.1:99999999/x',
    ]) {
      const error = await rejection(openStore(settingsOf(databaseUrl), { owner: true }), 'invalid');
      assert.equal(error.details['field'], 'DATABASE_URL');
      assert.match(error.message, oneSentence);
    }
  });

  test(
    'a server that accepts and never answers gives one sentence after the timeout',
    { timeout: 10_000 },
    async () => {
      const sockets = new Set<Socket>();
      const silent = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
      });
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const { port } = silent.address() as { port: number };
      try {
        const settings = { ...settingsOf(`postgres://holdfast@127.0.0.1:${port}/x`), timeoutMs: 300 };
        assert.match((await rejection(openStore(settings, { owner: true }), 'unavailable')).message, oneSentence);
      } finally {
        for (const socket of sockets) socket.destroy();
        silent.close();
      }
    },
  );

  test('a restart of the server fails what is under way as unavailable, and later writes succeed', async () => {
    const errors: Error[] = [];
    await using opened = await openConformanceStore(engine, { onError: (error) => errors.push(error) });
    const { store } = opened;
    await store.write(putRow, { id: 'a', value: 0 });
    const counts = { sure: 0, unknown: 0, failed: 0 };
    let isOver = false;
    const writers = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        try {
          await store.write(addOne, { id: 'a' });
          counts.sure++;
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.kind === 'unavailable', String(error));
          assert.match(error.message, oneSentence);
          counts.failed++;
          if (error.details['outcome'] !== 'none') counts.unknown++;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
    });
    await until('writes are under way', () => counts.sure > 50);
    await server.restart();
    const sureBefore = counts.sure;
    await until('writes succeed again', () => counts.sure > sureBefore + 50);
    isOver = true;
    await Promise.all(writers);
    assert.ok(counts.failed > 0, 'nothing was under way');
    const value = (await store.read((reader) => valueOf(reader, 'a')))!;
    // What was acknowledged is there; of the unknown ones, any number.
    assert.ok(value >= counts.sure && value <= counts.sure + counts.unknown, `${value} of ${JSON.stringify(counts)}`);
  });

  test('a server that ends a connection in the breath in which it greets does not end this process', async () => {
    const direct = await server.createDatabase();
    await using proxy = await rudeProxy(Number(new URL(direct).port));
    const url = new URL(direct);
    url.port = String(proxy.port);
    const store = await openStore(settingsOf(url.href), { owner: true });
    try {
      proxy.isRude = true;
      const writes = Array.from({ length: 4 }, (_, index) => store.write(putRow, { id: `${index}`, value: 1 }));
      await Promise.all(writes.map((write) => rejection(write, 'unavailable')));
      await rejection(
        store.read((reader) => valueOf(reader, 'a')),
        'unavailable',
      );
      proxy.isRude = false;
      await store.write(putRow, { id: 'later', value: 1 });
    } finally {
      await store.close();
    }
  });

  test('a row that somebody holds too long makes a write unavailable, and not a failure of another kind', async () => {
    await using opened = await openConformanceStore(engine, { timeoutMs: 2_000 });
    const { store, settings } = opened;
    await store.write(putRow, { id: 'a', value: 0 });
    const holding = `update conformance_rows set value = 5 where id = 'a'`;
    const holder = await openTransaction(settings.databaseUrl!, holding);
    try {
      const error = await rejection(store.write(addOne, { id: 'a' }), 'unavailable');
      assert.equal(error.details['outcome'], 'none');
    } finally {
      await holder.end('rollback');
    }
    assert.equal(await store.write(addOne, { id: 'a' }), 1);
  });

  test('text with a NUL character is the fault of who sent it', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    await rejection(store.write(putRow, { id: 'a\0b', value: 0 }), 'invalid');
    const select = 'select value from conformance_rows where id = ?';
    await rejection(
      store.read((reader) => reader.rows(select, ['a\0b'])),
      'invalid',
    );
  });

  test('what one store publishes another one hears, also after a restart of the server', async () => {
    await using first = await openConformanceStore(engine);
    const second = await openStore(first.settings, { owner: true });
    const heard: string[] = [];
    second.subscribe('topic', (payload) => heard.push(payload));
    first.store.subscribe('topic', (payload) => heard.push(`local ${payload}`));
    try {
      for (const round of ['before', 'after']) {
        await until(`${round} the restart it was heard`, () => {
          first.store.publish('topic', `${round} ä 'quoted'`);
          return heard.includes(`${round} ä 'quoted'`);
        });
        if (round === 'before') await server.restart();
      }
      assert.ok(heard.includes(`local before ä 'quoted'`));
    } finally {
      await second.close();
    }
  });
});

function settingsOf(databaseUrl: string): StoreSettings {
  return { databaseUrl, dataDirectory: '', timeoutMs: 5_000, migrations: conformanceMigrations };
}
