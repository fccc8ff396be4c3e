import { contract } from '../src/contract.ts';
import { BackendFaults } from '../test/support/faulty-backend.ts';
import { until } from '../test/support/wait.ts';
import { type Rig, serve } from '../test/volumes/rigs.ts';
import type { Hand } from '../test/volumes/world.ts';
import { percentile, row } from './support/report.ts';

const rounds = 20;

/** How long a user waits from the request to an export that greets, against what the daemon itself needs. */
export async function benchAttach(
  what: string,
  rig: Rig,
  bareMs: number,
  greets: (host: string, port: number) => Promise<boolean>,
): Promise<void> {
  await using server = await serve(rig, new BackendFaults());
  const { hand } = server;
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const volume = await hand.create(`bench-${round}`);
    const beganAt = performance.now();
    const { host, port } = await attached(hand, volume);
    await until('a client is greeted', () => greets(host, port));
    // The first one starts the daemon.
    if (round > 0) times.push(performance.now() - beganAt);
    const { id } = await hand.client.call(contract.detachVolume, { params: { volume }, body: {} });
    await hand.completed(id);
  }
  const ratio = (Number(percentile(times, 0.5)) / bareMs).toFixed(1);
  const value = `${percentile(times, 0.5)} ms, p95 ${percentile(times, 0.95)} ms, ${ratio}× a bare add`;
  row(`attach on ${what}: from request to usable export`, value);
}

async function attached(hand: Hand, volume: string): Promise<{ readonly host: string; readonly port: number }> {
  const body = { node_id: 'bench', transport: 'nbd' as const };
  const { id } = await hand.client.call(contract.attachVolume, { params: { volume }, body });
  const { output } = await hand.completed(id);
  const { exports } = output as { exports: readonly { connection: { host: string; port: number } }[] };
  return exports[0]!.connection;
}
