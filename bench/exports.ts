import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createNbdTarget } from '../src/volumes/exports/nbd/nbd.ts';
import type { ExportSource, ExportSpec, ExportTarget } from '../src/volumes/exports/target.ts';
import { cephAvailable } from '../test/support/ceph.ts';
import { qemuMissing, runClient } from '../test/support/qemu.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { until } from '../test/support/wait.ts';
import { cephRig, fileRig } from '../test/volumes/rigs.ts';
import { benchAttach } from './attach-exports.ts';
import { percentile, row } from './support/report.ts';

const MIB = 1_048_576;
const imageBytes = 256 * MIB;
const rounds = 7;
const runSeconds = 1;
const adds = 20;
const callTimeoutMs = 30_000;

/** What an export of ours costs against the same image in a bare daemon, and how long a client waits for one. */
export async function benchExports(): Promise<void> {
  const missing = qemuMissing();
  if (missing !== null) return row('NBD exports', `left out: ${missing}`);
  await using directory = await temporaryDirectory();
  await withTarget((target) => throughput(target, directory.path));
  const bareMs = await withTarget((target) => latency(target, 'files', () => newFile(directory.path)));
  await using rig = await fileRig();
  await benchAttach('files', rig, bareMs, greets);
  await latencyOnRbd();
}

/** A target whose daemon is still to be started. */
async function withTarget<T>(work: (target: ExportTarget) => Promise<T>): Promise<T> {
  const target = createNbdTarget({ ports: { first: 0, last: 0 } });
  try {
    return await work(target);
  } finally {
    await target.close();
  }
}

/** Turn and turn about, so that both meet the same disk and the same neighbours. */
async function throughput(target: ExportTarget, directory: string): Promise<void> {
  const source = await newFile(directory);
  const { connection } = await target.add(at(), spec(source));
  // The same image in both at once: nobody else has it, and each writes the same.
  const bare = await startBare(directory, source.path);
  try {
    // Else whoever writes first pays for the blocks of the image.
    await bytesPerSecond(bare.uri, directory, 'write', '1M');
    for (const [rw, blockSize] of workloads) {
      const speeds: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
      for (let round = 0; round < rounds; round++) {
        const turns = round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
        for (const who of turns) {
          const uri = who === 'ours' ? connection.uri : bare.uri;
          speeds[who].push(await bytesPerSecond(uri, directory, rw, blockSize));
        }
      }
      const [ours, theirs] = [median(speeds.ours), median(speeds.theirs)];
      const value = `${(ours / theirs).toFixed(2)}× (${Math.round(ours / MIB)} MiB/s)`;
      row(`NBD export against a bare daemon: ${rw} ${blockSize}`, value);
    }
  } finally {
    bare.process.kill('SIGKILL');
  }
}

const workloads = [
  ['write', '1M'],
  ['read', '1M'],
  ['randwrite', '4k'],
  ['randread', '4k'],
] as const;

/** One run of fio over NBD, 16 requests at a time. */
async function bytesPerSecond(uri: string, directory: string, rw: string, blockSize: string): Promise<number> {
  const args = ['--name=bench', '--ioengine=nbd', `--uri=${uri}`, `--rw=${rw}`, `--bs=${blockSize}`, '--iodepth=16'];
  const time = ['--time_based', `--runtime=${runSeconds}`, '--output-format=json', `--aux-path=${directory}`];
  const { stdout, stderr, status } = await runClient('fio', [...args, ...time]);
  if (status !== 0) throw new Error(`fio: ${stdout}${stderr}`);
  const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: FioJob[] };
  return jobs.reduce((sum, { read, write }) => sum + read.bw_bytes + write.bw_bytes, 0);
}

interface FioJob {
  readonly read: { readonly bw_bytes: number };
  readonly write: { readonly bw_bytes: number };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Gives the median of those after the first. */
async function latency(target: ExportTarget, what: string, image: () => Promise<ExportSource>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < adds; round++) {
    const wish = spec(await image());
    const beganAt = performance.now();
    const { connection } = await target.add(at(), wish);
    await until('a client is greeted', () => greets(connection.host, connection.port));
    times.push(performance.now() - beganAt);
    await target.remove(at(), wish.exportId, { force: false });
  }
  const [first = Number.NaN, ...later] = times;
  const value = `${percentile(later, 0.5)} ms, p99 ${percentile(later, 0.99)} ms, with the daemon's start ${first.toFixed(0)} ms`;
  row(`NBD export on ${what}: add until a client is greeted`, value);
  return median(later);
}

async function latencyOnRbd(): Promise<void> {
  const missing = cephAvailable();
  if (missing !== null) return row('NBD export on RBD', `left out: ${missing}`);
  await using rig = await cephRig();
  const ceph = rig.cluster;
  const image = async (): Promise<ExportSource> => {
    const name = `vol-${randomUUID()}`;
    await ceph.run('rbd', 'create', '--size', '64M', `${ceph.pool}/${name}`);
    return { kind: 'rbd', conf: ceph.conf, pool: ceph.pool, image: name };
  };
  const bareMs = await withTarget((target) => latency(target, 'RBD', image));
  await benchAttach('RBD', rig, bareMs, greets);
}

/** Whether the server says the words with which NBD begins. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (isGreeted: boolean): void => {
      socket.destroy();
      resolve(isGreeted);
    };
    socket.once('data', (chunk: Buffer) => end(chunk.subarray(0, 8).toString('latin1') === 'NBDMAGIC'));
    socket.once('error', () => end(false));
  });
}

async function startBare(
  directory: string,
  path: string,
): Promise<{ readonly uri: string; readonly process: ChildProcess }> {
  const port = await freePort();
  const image = `driver=file,node-name=image,filename=${path},discard=unmap`;
  const server = `addr.type=inet,addr.host=127.0.0.1,addr.port=${port}`;
  const served = 'type=nbd,id=bare,node-name=image,name=bare,writable=on';
  const args = ['--blockdev', image, '--nbd-server', server, '--export', served];
  const child = spawn('qemu-storage-daemon', args, { cwd: directory, stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  await until('the bare daemon greets', () => greets('127.0.0.1', port));
  return { uri: `nbd://127.0.0.1:${port}/bare`, process: child };
}

async function newFile(directory: string): Promise<ExportSource & { kind: 'file' }> {
  const path = join(directory, `${randomUUID()}.img`);
  const file = await open(path, 'wx');
  await file.truncate(imageBytes);
  await file.close();
  return { kind: 'file', path };
}

function spec(source: ExportSource): ExportSpec {
  const ids = { exportId: `exp-${randomUUID()}`, volumeId: `vol-${randomUUID()}`, generation: 1 };
  return { ...ids, source, readOnly: false, qos: {}, tls: null, allowedHosts: [] };
}

function at(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(callTimeoutMs) };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

if (import.meta.main) await benchExports();
