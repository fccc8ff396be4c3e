import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { wrk } from '../support/wrk.ts';
import { startOurs } from './our-server.ts';
import { send, signed } from './targets.ts';

const connections = 16;
const seconds = 6;

/** What a frame of the program is about; the innermost frame that one of these fits decides. */
const stages: readonly { readonly name: string; readonly place: RegExp }[] = [
  { name: 'start', place: /node:internal\/(modules|bootstrap|main)|compile-cache/ },
  { name: 'garbage collection', place: /#\(garbage collector\)$/ },
  { name: 'hashing', place: /#crc32$|objects\/checksums|objects\/content\/hasher/ },
  { name: 'authentication', place: /objects\/s3\/(signature|authenticate)|objects\/access/ },
  { name: 'ledger', place: /kernel\/store|objects\/(ledger|queries|buckets)|reading\/locator|kysely/ },
  { name: 'backend', place: /objects\/backends/ },
];
const rest = 'HTTP and stream';

interface Frame {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly Frame[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/**
 * Where the gateway's time goes, as V8's profiler of all its threads sees it: work, and flushes that a thread waits for.
 * Work that the thread pool does is not in it.
 */
export async function benchObjectStages(): Promise<void> {
  for (const [size, bytes] of Object.entries({ '4 KiB': 4_096, '1 MiB': 1_048_576 })) {
    for (const method of ['GET', 'PUT']) await shares(method, size, bytes);
  }
}

async function shares(method: string, size: string, bytes: number): Promise<void> {
  await using directory = await temporaryDirectory();
  const profiles = join(directory.path, 'profiles');
  const ours = await startOurs(directory.path, { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` });
  const { target } = ours;
  await send(target, 'PUT', '');
  await send(target, 'PUT', 'k', Buffer.alloc(bytes, 'x'));
  const puts = Array.from({ length: bytes > 100_000 ? 48 : 16_000 }, (_none, at) =>
    signed(target, 'PUT', `p/${at}`, bytes),
  );
  await wrk(target.url, method === 'GET' ? [signed(target, 'GET', 'k')] : puts, { connections, seconds });
  await ours.process.stop();

  const spentUs = new Map<string, number>();
  for (const name of await readdir(profiles)) {
    add(spentUs, JSON.parse(await readFile(join(profiles, name), 'utf8')) as CpuProfile);
  }
  spentUs.delete('start');
  const allUs = [...spentUs.values()].reduce((sum, each) => sum + each, 0);
  const told = [...spentUs]
    .sort(([, one], [, other]) => other - one)
    .map(([stage, us]) => `${stage} ${((us / allUs) * 100).toFixed(0)} %`);
  row(`${method} ${size}: shares of time`, told.join(', '));
}

function add(spentUs: Map<string, number>, { nodes, samples, timeDeltas }: CpuProfile): void {
  const stageOf = stagesOf(nodes);
  for (const [at, id] of samples.entries()) {
    const stage = stageOf.get(id);
    if (stage !== undefined) spentUs.set(stage, (spentUs.get(stage) ?? 0) + timeDeltas[at]!);
  }
}

/** The stage of each frame: its own, or that of who called it. Waiting has none. */
function stagesOf(nodes: readonly Frame[]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Map<number, string>();
  const visit = [{ node: nodes[0]!, stage: rest }];
  for (let next = visit.pop(); next !== undefined; next = visit.pop()) {
    const { functionName, url } = next.node.callFrame;
    const place = `${url}#${functionName}`;
    const stage = next.stage === 'start' ? 'start' : (stages.find((one) => one.place.test(place))?.name ?? next.stage);
    if (functionName !== '(idle)') found.set(next.node.id, stage);
    for (const id of next.node.children ?? []) visit.push({ node: byId.get(id)!, stage });
  }
  return found;
}

if (import.meta.main) await benchObjectStages();
