import { kernelMigration } from '../src/kernel/store/migrations/0001_kernel.ts';
import { openStore, type StoreSettings } from '../src/kernel/store/open.ts';
import { createIdSource, systemClock } from '../src/kernel/ids.ts';
import { Engine } from '../src/kernel/operations/engine.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { acceptBench, benchKind, benchMigration, blockingKind } from './support/bench-operation.ts';
import { percentile, row } from './support/report.ts';

const migrations = [kernelMigration, benchMigration];

/** Durable operations: how many a second at 64 in flight, and how long one takes at 1 in flight. */
export async function benchOperations(): Promise<void> {
  await using directory = await temporaryDirectory();
  await measure('SQLite', { databaseUrl: undefined, dataDirectory: directory.path, timeoutMs: 5_000, migrations });
  const server = await startPostgres({ isDurable: true });
  try {
    await measure('PostgreSQL', {
      databaseUrl: await server.createDatabase(),
      dataDirectory: '',
      timeoutMs: 5_000,
      migrations,
    });
  } finally {
    await server.stop();
  }
}

async function measure(name: string, settings: StoreSettings): Promise<void> {
  const store = await openStore(settings, { owner: true });
  const finished = new Map<string, () => void>();
  const newId = createIdSource();
  const engine = new Engine({
    store,
    clock: systemClock,
    newId,
    runningMax: 64,
    heldMax: 100_000,
    leaseTtlMs: 8_000,
    observer: { onFinished: (run) => finished.get(run.id)?.() },
  });
  engine.register(benchKind);
  engine.register(blockingKind);
  await engine.start();
  let count = 0;
  async function one(): Promise<void> {
    const key = `row-${count++}`;
    const { id } = await engine.accept(
      acceptBench,
      { actor: 'bench', idempotency: { key, requestHash: key } },
      { row: key },
    );
    await new Promise<void>((resolve) => {
      finished.set(id, resolve);
    });
    finished.delete(id);
  }
  for (let warm = 0; warm < 300; warm++) await one();
  const latenciesMs: number[] = [];
  for (let index = 0; index < 1_500; index++) {
    const beganAt = performance.now();
    await one();
    latenciesMs.push(performance.now() - beganAt);
  }
  row(
    `${name}: accept to completed, 1 in flight`,
    `p50 ${percentile(latenciesMs, 0.5)} ms, p99 ${percentile(latenciesMs, 0.99)} ms`,
  );
  const total = name === 'SQLite' ? 20_000 : 4_000;
  const beganAt = performance.now();
  let left = total;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) await one();
    }),
  );
  row(`${name}: operations a second, 64 in flight`, String(Math.round((total / (performance.now() - beganAt)) * 1000)));
  await measureWaiting(name, engine);
  await engine.stop(2_000);
  await store.close();
}

/** What starting one costs, with nobody waiting and with many. */
async function measureWaiting(name: string, engine: Engine): Promise<void> {
  const start = (resource: string, kind: string) =>
    engine.accept(acceptBench, { actor: 'bench', idempotency: null }, { row: resource, kind });
  const median = async (label: string) => {
    const timesMs: number[] = [];
    for (let index = 0; index < 500; index++) {
      const beganAt = performance.now();
      await start(`${label}-${index}`, benchKind.name);
      timesMs.push(performance.now() - beganAt);
    }
    return percentile(timesMs, 0.5);
  };
  const alone = await median('alone');
  await start('held', blockingKind.name);
  const waiting = name === 'SQLite' ? 50_000 : 10_000;
  for (let done = 0; done < waiting; done += 500) {
    await Promise.all(Array.from({ length: 500 }, () => start('held', benchKind.name)));
  }
  const crowded = await median('crowded');
  row(`${name}: start of one, nobody waiting / ${waiting} waiting`, `p50 ${alone} / ${crowded} ms`);
}

if (import.meta.main) await benchOperations();
