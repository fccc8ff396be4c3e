import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Engine } from '../../kernel/operations/engine.ts';
import type { Store } from '../../kernel/store/store.ts';
import { acceptPurge } from '../accepting/delete.ts';
import { listExpired } from '../queries.ts';

const batchSize = 50;

/** Empties the trash: volumes whose time is up are purged, each by an operation of its own. */
export function trashKeeper(store: Store, engine: Engine, clock: Clock): Keeper {
  return {
    name: 'volume-trash',
    summary: 'Removes deleted volumes for good when their retention has passed.',
    periodMs: 60_000,
    run: async (signal) => {
      const expired = await store.read((reader) => listExpired(reader, clock.nowMs(), batchSize));
      for (const { id } of expired) {
        if (signal.aborted) break;
        // No idempotency key: one that failed would be the answer for as long as operations are kept.
        await engine.accept(acceptPurge, { actor: 'keeper:volume-trash', idempotency: null }, { volume: id });
      }
      return `${expired.length} purges asked for`;
    },
    plan: async () => {
      const expired = await store.read((reader) => listExpired(reader, clock.nowMs(), batchSize));
      const steps = expired.map(({ id, name, backend, sizeBytes: bytes }) => ({
        action: 'purge',
        subject: `${name} (${id}) on ${backend}`,
        sizeBytes: Number(bytes),
      }));
      const sizeBytes = steps.reduce((sum, step) => sum + step.sizeBytes, 0);
      const summary = `${steps.length} deleted volumes would be removed for good.`;
      const isExact = steps.length < batchSize;
      return { summary, steps, count: steps.length, isExact, sizeBytes, costs: [] };
    },
  };
}
