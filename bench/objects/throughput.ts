import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { wrk } from '../support/wrk.ts';
import { startOurs } from './our-server.ts';
import { type Nginx, startNginx, startRadosgwPeer, startS3rverPeer } from './peers.ts';
import { type S3Target, send, signed } from './targets.ts';

const rounds = 3;
const seconds = 4;
const connections = 16;
const small = 4_096;
const large = 1_048_576;

interface Work {
  readonly name: string;
  /** Requests a second. */
  run(target: S3Target): Promise<number>;
}

const works: readonly Work[] = [
  { name: 'GET 4 KiB', run: (target) => get(target, 'small') },
  { name: 'PUT 4 KiB', run: (target) => put(target, small, 12_000) },
  { name: 'GET 1 MiB', run: (target) => get(target, 'large') },
  { name: 'PUT 1 MiB', run: (target) => put(target, large, 48) },
];

/** Signed requests to our gateway on a directory, to radosgw, to s3rver and to nginx, in turns on the same cores. */
export async function benchObjectThroughput(): Promise<void> {
  await using directory = await temporaryDirectory();
  const ours = await startOurs(directory.path);
  const peers = [await startRadosgwPeer(), await startS3rverPeer(directory.path)].filter((peer) => peer !== null);
  const nginx = await startNginx(directory.path, await filesFor(directory.path));
  const targets = [ours.target, ...peers.map(({ target }) => target)];
  for (const target of targets) await prepare(target);
  for (const work of works) {
    const best = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) note(best, target.name, await work.run(target));
      if (nginx !== null && work.name.startsWith('GET')) note(best, 'nginx', await getFile(nginx, work.name));
    }
    report(work.name, best);
  }
  if (nginx !== null) await nginx.stop();
  for (const peer of peers) await peer.stop();
  await ours.process.stop();
}

/** The best of the rounds, since everything else on the machine only takes away. */
function note(best: Map<string, number>, name: string, perSecond: number): void {
  best.set(name, Math.max(best.get(name) ?? 0, perSecond));
}

function report(what: string, best: ReadonlyMap<string, number>): void {
  const own = best.get('holdfast')!;
  const others = [...best].filter(([name]) => name !== 'holdfast');
  const told = others.map(([name, value]) => `${name} ${value.toFixed(0)} (${(own / value).toFixed(2)}x)`);
  row(what, `${own.toFixed(0)}/s; ${told.join(', ')}`);
}

async function prepare(target: S3Target): Promise<void> {
  await send(target, 'PUT', '');
  await send(target, 'PUT', 'small', Buffer.alloc(small, 'x'));
  await send(target, 'PUT', 'large', Buffer.alloc(large, 'x'));
}

async function get(target: S3Target, key: string): Promise<number> {
  return measure(target.url, [signed(target, 'GET', key)]);
}

/** New keys each time: what is overwritten would be deleted too, and that is other work. */
async function put(target: S3Target, bodyBytes: number, keys: number): Promise<number> {
  const folder = randomUUID();
  return measure(
    target.url,
    Array.from({ length: keys }, (_, index) => signed(target, 'PUT', `${folder}/${index}`, bodyBytes)),
  );
}

async function measure(url: string, requests: Parameters<typeof wrk>[1]): Promise<number> {
  const { requestsPerSecond, failed } = await wrk(url, requests, { connections, seconds });
  if (failed > 0) throw new Error(`${failed} requests to ${url} failed`);
  return requestsPerSecond;
}

async function filesFor(directory: string): Promise<string> {
  const root = join(directory, 'files');
  await mkdir(root);
  await writeFile(join(root, 'small'), Buffer.alloc(small, 'x'));
  await writeFile(join(root, 'large'), Buffer.alloc(large, 'x'));
  return root;
}

function getFile(nginx: Nginx, work: string): Promise<number> {
  const path = work.endsWith('4 KiB') ? '/small' : '/large';
  return measure(nginx.url, [{ method: 'GET', path, headers: {}, bodyBytes: 0 }]);
}

if (import.meta.main) await benchObjectThroughput();
