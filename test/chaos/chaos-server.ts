import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { createIdSource, systemClock } from '../../src/kernel/ids.ts';
import { Engine } from '../../src/kernel/operations/engine.ts';
import { kernelMigration } from '../../src/kernel/store/migrations/0001_kernel.ts';
import { openStore } from '../../src/kernel/store/open.ts';
import { acceptChaos, chaosKind, chaosMigration } from './chaos-kind.ts';

/** What the chaos test gives its servers. */
export interface ChaosSettings {
  readonly databaseUrl: string | undefined;
  readonly dataDirectory: string;
  readonly effectsFile: string;
  readonly lanes: number;
  readonly rows: number;
}

const pauseMs = 4;

/** A server that accepts operations as fast as it can and tells its parent of each one acknowledged, until it is killed. */
async function serve(settings: ChaosSettings): Promise<void> {
  const { databaseUrl, dataDirectory, effectsFile, lanes, rows } = settings;
  const migrations = [kernelMigration, chaosMigration];
  const store = await openStore({ databaseUrl, dataDirectory, timeoutMs: 5_000, migrations }, { owner: true });
  const newId = createIdSource();
  const engine = new Engine({ store, clock: systemClock, newId, runningMax: 16, heldMax: 2_000, leaseTtlMs: 2_000 });
  engine.register(chaosKind(effectsFile));
  await engine.start();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (process.connected) {
        const key = newId('key');
        const row = String(Math.floor(Math.random() * rows));
        try {
          const wish = { actor: 'chaos', idempotency: { key, requestHash: row } };
          const { id } = await engine.accept(acceptChaos, wish, { row });
          process.send?.(id);
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
        }
        await delay(pauseMs);
      }
    }),
  );
}

process.on('disconnect', () => process.exit(0));
await serve(JSON.parse(process.argv[2]!) as ChaosSettings);
