/**
 * Runs inside a guest, and does there what tests outside ask for, since these have the cluster. A task is a file with a
 * number and what to call; the answer is a line of JSON.
 */
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { createNvmeofTarget } from '../../src/volumes/exports/nvmeof/nvmeof.ts';
import { listMapped } from '../../src/volumes/exports/nvmeof/rbd-mapped.ts';
import { holdDevice } from '../../src/volumes/exports/nvmeof/source-device.ts';
import type { ExportSource, ExportSpec, LiveExport } from '../../src/volumes/exports/target.ts';
import { NvmeDisk } from './nvme-host.ts';

const pollMs = 20;
const callTimeoutMs = 60_000;
/** The loopback of the machine outside. */
const outside = '10.0.2.2';

const [taskFile = '', ...ports] = process.argv.slice(2);
const target = createNvmeofTarget({ ports: { first: 4_600, last: 4_609 } });
const context = () => ({ signal: AbortSignal.timeout(callTimeoutMs) });
let disk: NvmeDisk | null = null;

function connected(): NvmeDisk {
  if (disk === null) throw new Error('no disk is connected');
  return disk;
}

/** What can be asked for. One disk is connected at a time. */
const tasks = {
  add: (spec: ExportSpec) => target.add(context(), spec),
  remove: (exportId: string, force: boolean) => target.remove(context(), exportId, { force }),
  resize: (exportId: string, sizeBytes: number) => target.resize(context(), exportId, BigInt(sizeBytes)),
  list: () => target.list(context()),
  /** As a process that is killed before there is a namespace. */
  hold: async (exportId: string, source: ExportSource) => (await holdDevice(exportId, source, context().signal)).path,
  mapped: async () => (await listMapped(context().signal)).map(({ path }) => path),
  connect: async (live: LiveExport) => void (disk = await NvmeDisk.connect(live)),
  disconnect: () => connected().disconnect(),
  write: (byte: number, offset: number) => connected().write(byte, offset),
  sizeSeen: () => connected().sizeBytes(),
};

export type Tasks = typeof tasks;
export interface Task {
  readonly number: number;
  readonly call: keyof Tasks;
  readonly args: readonly unknown[];
}
export interface Answer {
  readonly number: number;
  readonly value?: unknown;
  readonly error?: { readonly kind: string | null; readonly message: string };
}

// The addresses of the cluster are those of loopback, also for who is told them in here.
for (const port of ports.map(Number)) {
  createServer((client) => {
    const server = connect(port, outside);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => to.destroy()).pipe(to);
    }
  }).listen(port, '127.0.0.1');
}
for (let done = 0; ; await delay(pollMs)) {
  const task = JSON.parse(await readFile(taskFile, 'utf8').catch(() => '{"number":0}')) as Task;
  if (task.number === done) continue;
  done = task.number;
  const answer: Answer = await perform(task);
  console.log(JSON.stringify(answer, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
}

async function perform({ number, call, args }: Task): Promise<Answer> {
  try {
    const task = tasks[call] as (...given: readonly unknown[]) => unknown;
    return { number, value: await task(...args) };
  } catch (error) {
    return { number, error: { kind: error instanceof HoldfastError ? error.kind : null, message: String(error) } };
  }
}
