import autocannon from 'autocannon';
import { join } from 'node:path';
import { Client } from '../src/client.ts';
import { contract } from '../src/contract.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { clientHelpers } from '../test/support/server.ts';
import { row } from './support/report.ts';
import { type ServerProcess, serveCommand, startProcess } from './support/server-process.ts';

const rounds = 4;
const roundSeconds = 3;
const bareScript = join(import.meta.dirname, 'support/bare-fastify.ts');

/** `GET /volumes/{v}` against a bare route of the same framework that returns the same body, in one run. */
export async function benchHttp(): Promise<void> {
  await using directory = await temporaryDirectory();
  const env = { HOLDFAST_DATA_DIR: directory.path, HOLDFAST_PORT: '0', STORAGE_BACKEND: 'memory', LOG_LEVEL: 'silent' };
  const ours = await startProcess(serveCommand, env);
  row('server: process start to ready', `${Math.round(ours.readyMs)} ms`);
  const client = new Client({ url: ours.url });
  const { operation_id, volume_id } = await client.call(contract.createVolume, {
    body: { name: 'bench', size: '1GiB' },
  });
  await clientHelpers(client).ended(operation_id);
  const path = `/api/v1/volumes/${volume_id}`;
  const body = await (await fetch(ours.url + path)).text();
  const peer = await startProcess([bareScript, body]);
  const figures = { ours: [] as Figures[], peer: [] as Figures[] };
  for (let round = 0; round < rounds; round++) {
    figures.peer.push(await measure(peer, path));
    figures.ours.push(await measure(ours, path));
  }
  for (const connections of ['requests a second', 'processor µs a request'] as const) {
    const [best, bare] = [figures.ours, figures.peer].map((list) => pick(list, connections));
    const ratio = connections === 'requests a second' ? bare! / best! : best! / bare!;
    row(
      `GET /volumes/{v}: ${connections}`,
      `${best!.toFixed(0)}, bare Fastify ${bare!.toFixed(0)}: ${ratio.toFixed(2)}x`,
    );
  }
  await ours.stop();
  await peer.stop();
}

type Figures = Readonly<Record<'requests a second' | 'processor µs a request', number>>;

async function measure(server: ServerProcess, path: string): Promise<Figures> {
  const before = await server.cpuMs();
  const result = await autocannon({ url: server.url + path, connections: 8, duration: roundSeconds });
  const cpuUs = (((await server.cpuMs()) - before) * 1000) / result.requests.total;
  return { 'requests a second': result.requests.average, 'processor µs a request': cpuUs };
}

/** The best of the rounds, since everything else on the machine only takes away. */
function pick(list: readonly Figures[], figure: keyof Figures): number {
  const values = list.map((one) => one[figure]);
  return figure === 'requests a second' ? Math.max(...values) : Math.min(...values);
}

if (import.meta.main) await benchHttp();
