import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { type ServerProcess, startProcess } from '../support/server-process.ts';
import { type WrkRequest, wrk } from '../support/wrk.ts';
import { startOurs } from './our-server.ts';
import { send, signed } from './targets.ts';

const connections = 16;
const seconds = 4;
const rounds = 3;
const sizes = { '4 KiB': 4_096, '1 MiB': 1_048_576 } as const;
const bareScript = join(import.meta.dirname, '../support/bare-files.ts');

/** What authentication, ledger and hashing cost over a bare `node:http` handler that does the same input and output. */
export async function benchObjectCost(): Promise<void> {
  await using directory = await temporaryDirectory();
  const ours = await startOurs(directory.path);
  const { target } = ours;
  const files = join(directory.path, 'bare');
  await mkdir(files);
  const bare = await startProcess([bareScript, files]);
  await send(target, 'PUT', '');
  for (const [size, bytes] of Object.entries(sizes)) {
    const key = `get-${bytes}`;
    await send(target, 'PUT', key, Buffer.alloc(bytes, 'x'));
    await fetch(`${bare.url}/bench/${key}`, { method: 'PUT', body: Buffer.alloc(bytes, 'x') });
    await compare(`GET ${size}`, ours.process, bare, [signed(target, 'GET', key)], target.url);
    const count = bytes > 100_000 ? 32 : 8_000;
    const puts = Array.from({ length: count }, (_, index) => signed(target, 'PUT', `put-${bytes}-${index}`, bytes));
    await compare(`PUT ${size}`, ours.process, bare, puts, target.url);
  }
  await bare.stop();
  await ours.process.stop();
}

async function compare(
  what: string,
  ours: ServerProcess,
  bare: ServerProcess,
  requests: readonly WrkRequest[],
  url: string,
): Promise<void> {
  const best = { ours: Number.POSITIVE_INFINITY, bare: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    best.bare = Math.min(best.bare, await costOf(bare, bare.url, requests));
    best.ours = Math.min(best.ours, await costOf(ours, url, requests));
  }
  const added = best.ours - best.bare;
  row(
    `${what}: processor µs a request`,
    `${best.ours.toFixed(0)}, bare ${best.bare.toFixed(0)}: ${added.toFixed(0)} added (${(best.ours / best.bare).toFixed(2)}x)`,
  );
}

async function costOf(server: ServerProcess, url: string, requests: readonly WrkRequest[]): Promise<number> {
  const before = await server.cpuMs();
  const { requestsPerSecond } = await wrk(url, requests, { connections, seconds });
  return (((await server.cpuMs()) - before) * 1000) / (requestsPerSecond * seconds);
}

if (import.meta.main) await benchObjectCost();
