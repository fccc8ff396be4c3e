import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../../src/contract.ts';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { until } from '../../test/support/wait.ts';
import { openLoop } from '../support/open-loop.ts';
import { percentile, row } from '../support/report.ts';
import { type OurServer, startOurs } from './our-server.ts';
import { type S3Target, send, signed } from './targets.ts';

/** How much there is to do for keepers, and how long clients are watched. */
const scales = {
  quick: { kept: 4_000, seconds: 15, rounds: 2 },
  full: { kept: 20_000, seconds: 60, rounds: 3 },
};
const sizeBytes = 65_536;
const getsPerSecond = 40;
const putsPerSecond = 20;
/** More than fits into the cache of small objects. */
const frontKeys = 1_500;
const writersAtOnce = 16;
const wantedRatio = 2;
const [replicator, scrubber] = ['object-replicator', 'object-scrubber'];

/** How long clients waited, in ms. */
interface Latency {
  readonly gets: readonly number[];
  readonly puts: readonly number[];
}

/**
 * What clients of a server notice while a keeper has its hands full, at the budgets that keepers have by default: reads and
 * writes of 64 KiB at a fixed rate, before and meanwhile. What the keeper has moved by then must not be nothing.
 */
export async function benchObjectKeepers(): Promise<void> {
  const scale = process.env['BENCH_FULL'] === '1' ? scales.full : scales.quick;
  await using directory = await temporaryDirectory();
  // Everything is due at once, so that the scrubber has no end of work; how fast it may read is left as it is.
  const ours = await startOurs(directory.path, { OBJECT_SCRUB_INTERVAL: '1s' });
  const { client, target } = ours;
  for (const name of [replicator, scrubber]) await client.call(contract.pauseKeeper, { params: { name }, body: {} });
  const path = join(directory.path, 'second');
  await mkdir(path);
  await client.call(contract.addObjectBackend, { body: { name: 'second', kind: 'filesystem', config: { path } } });
  await send(target, 'PUT', '');
  const front: S3Target = { ...target, bucket: 'front' };
  await send(front, 'PUT', '');
  await fill(front, frontKeys);
  // Each round needs its own bucket: what has two copies is owed none.
  for (let round = 0; round < scale.rounds; round++) {
    const kept = { ...target, bucket: `kept-${round}` };
    await send(kept, 'PUT', '');
    await fill(kept, scale.kept);
  }
  for (let round = 0; round < scale.rounds; round++) {
    const before = await watch(front, scale.seconds);
    const params = { bucket: `kept-${round}` } as never;
    await client.call(contract.changeBucket, { params, body: { copies: 2 } });
    const bytesBefore = await bytesOn(ours, 'second');
    const meanwhile = await during(ours, replicator, front, scale.seconds);
    const moved = Math.round(((await bytesOn(ours, 'second')) - bytesBefore) / sizeBytes);
    tell('replicator', before, meanwhile, moved);
  }
  for (let round = 0; round < scale.rounds; round++) {
    const before = await watch(front, scale.seconds);
    const meanwhile = await during(ours, scrubber, front, scale.seconds);
    const { last_result: told } = await keeperOf(ours, scrubber);
    tell('scrubber', before, meanwhile, Number(/^(\d+) copies are right/.exec(told ?? '')?.[1] ?? 0));
  }
  await ours.process.stop();
}

function tell(keeper: string, before: Latency, meanwhile: Latency & { readonly seconds: number }, moved: number): void {
  if (moved === 0) throw new Error(`the ${keeper} did nothing, so that this shows nothing`);
  for (const kind of ['gets', 'puts'] as const) {
    const [idle, busy] = [before[kind], meanwhile[kind]];
    const ratio = Number(percentile(busy, 0.99)) / Number(percentile(idle, 0.99));
    const halves = [idle, busy].map((one) => `${percentile(one, 0.5)} / ${percentile(one, 0.99)} ms`);
    const pace = `${(moved / meanwhile.seconds).toFixed(0)} copies a second`;
    row(
      `${kind === 'gets' ? 'GET' : 'PUT'} 64 KiB, p50 / p99, idle; beside the ${keeper}`,
      `${halves.join('; ')}: ${ratio.toFixed(2)}x (wanted under ${wantedRatio}); ${pace}`,
    );
  }
}

/** Watches clients while a keeper runs, and has it end with that. */
async function during(
  ours: OurServer,
  name: string,
  front: S3Target,
  seconds: number,
): Promise<Latency & { readonly seconds: number }> {
  const params = { name };
  await ours.client.call(contract.resumeKeeper, { params });
  await until(`${name} runs`, async () => (await keeperOf(ours, name)).running);
  const beganAt = performance.now();
  const ended = new AbortController();
  const ending = (async () => {
    const untilAt = beganAt + seconds * 1_000;
    while (performance.now() < untilAt && (await keeperOf(ours, name)).running) await delay(200);
    ended.abort();
  })();
  const latency = await load(front, ended.signal);
  await ending;
  await ours.client.call(contract.pauseKeeper, { params, body: {} });
  await until(`${name} rests`, async () => !(await keeperOf(ours, name)).running);
  return { ...latency, seconds: (performance.now() - beganAt) / 1_000 };
}

async function watch(front: S3Target, seconds: number): Promise<Latency> {
  return load(front, AbortSignal.timeout(seconds * 1_000));
}

async function load(front: S3Target, signal: AbortSignal): Promise<Latency> {
  const folder = randomUUID();
  const { url } = front;
  const get = () => signed(front, 'GET', String(Math.floor(Math.random() * frontKeys)));
  const put = (index: number) => signed(front, 'PUT', `${folder}/${index}`, sizeBytes);
  const [gets, puts] = await Promise.all([
    openLoop({ url, perSecond: getsPerSecond, next: get }, signal),
    openLoop({ url, perSecond: putsPerSecond, next: put }, signal),
  ]);
  return { gets, puts };
}

async function fill(target: S3Target, count: number): Promise<void> {
  const body = Buffer.alloc(sizeBytes, 'x');
  let next = 0;
  const writer = async () => {
    while (next < count) await send(target, 'PUT', String(next++), body);
  };
  await Promise.all(Array.from({ length: writersAtOnce }, writer));
}

async function keeperOf({ client }: OurServer, name: string) {
  const { items } = await client.call(contract.listKeepers);
  return items.find((keeper) => keeper.name === name)!;
}

async function bytesOn({ client }: OurServer, backend: string): Promise<number> {
  const found = await client.call(contract.getObjectBackend, { params: { backend } as never });
  return Number(found.used_bytes);
}

if (import.meta.main) await benchObjectKeepers();
