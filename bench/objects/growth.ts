import { randomUUID } from 'node:crypto';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { wrk } from '../support/wrk.ts';
import { startOurs } from './our-server.ts';
import { send, signed } from './targets.ts';

const clients = [1, 4, 16, 64, 256];
const seconds = 4;
const keys = 12_000;

/** PUT of 4 KiB by more and more clients: nothing that all writers share should hold them up. */
export async function benchObjectGrowth(): Promise<void> {
  await using directory = await temporaryDirectory();
  const ours = await startOurs(directory.path);
  const { target } = ours;
  await send(target, 'PUT', '');
  for (const connections of clients) {
    const folder = randomUUID();
    const puts = Array.from({ length: keys }, (_, index) => signed(target, 'PUT', `${folder}/${index}`, 4_096));
    const { requestsPerSecond, p99Ms } = await wrk(target.url, puts, { connections, seconds });
    row(`PUT 4 KiB, ${connections} clients`, `${requestsPerSecond.toFixed(0)}/s, p99 ${p99Ms.toFixed(1)} ms`);
  }
  await ours.process.stop();
}

if (import.meta.main) await benchObjectGrowth();
