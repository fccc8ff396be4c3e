import { Client } from '../src/client.ts';
import { contract } from '../src/contract.ts';
import { clientHelpers } from '../test/support/server.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { row } from './support/report.ts';
import { serveCommand, startProcess } from './support/server-process.ts';

const rounds = 5;

/** From the start of a process after `kill -9` until an operation that was cut off is done. */
export async function benchRecovery(): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await using directory = await temporaryDirectory();
    const env = { HOLDFAST_DATA_DIR: directory.path, HOLDFAST_PORT: '0', LOG_LEVEL: 'silent' };
    const first = await startProcess(serveCommand, env);
    const accepted = await new Client({ url: first.url }).call(contract.createVolume, {
      body: { name: 'bench', size: '1GiB' },
    });
    await first.kill();
    const beganAt = performance.now();
    const second = await startProcess(serveCommand, env);
    const operation = await clientHelpers(new Client({ url: second.url })).ended(accepted.operation_id);
    if (operation.status !== 'completed') throw new Error(`it ${operation.status}`);
    times.push(performance.now() - beganAt);
    await second.stop();
  }
  row(
    'kill -9 on SQLite: process start until the operation is done',
    `${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))} ms`,
  );
}

if (import.meta.main) await benchRecovery();
