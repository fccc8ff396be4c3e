import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { apacheMissing } from './apache.ts';
import { cephAvailable } from './ceph.ts';
import { postgresMissing } from './postgres.ts';
import { radosgwAvailable } from './radosgw.ts';
import { rcloneMissing } from './rclone.ts';
import { tools, toolsMissing } from './s3-clients.ts';

/**
 * `npm test`: every test that this machine can run, and a word on what was left out. Arguments choose files.
 *
 * Files share processes, so that the loader works once. There are two, since most tests wait for disks and servers: the
 * second one's words come when the first has ended. A run that takes too long is ended, so that nobody waits for a test
 * that hangs.
 */
const patterns = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['src/**/*.test.ts', 'test/**/*.test.ts'];
const files = globSync(patterns).toSorted();
const lanes = files.length > 1 ? 2 : 1;
const runTimeoutMs = 30 * 60_000;

const missing = [
  await postgresMissing(),
  cephAvailable(),
  radosgwAvailable(),
  apacheMissing(),
  rcloneMissing(),
  toolsMissing(...Object.values(tools)),
];
const leftOut = missing.filter((sentence) => sentence !== null);
const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';

for (const sentence of leftOut) console.log(isRequired ? `missing: ${sentence}` : `left out: ${sentence}`);
if (isRequired && leftOut.length > 0) {
  console.log('HOLDFAST_REQUIRE_REAL=1 makes a missing real system a failure.');
  process.exit(1);
}

const children: ChildProcess[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => endAll(signal));
const timer = setTimeout(() => {
  console.log(`The run took more than ${runTimeoutMs / 60_000} minutes; what was named last did not end.`);
  endAll('SIGKILL');
}, runTimeoutMs);

const codes = await Promise.all(Array.from({ length: lanes }, (_none, lane) => runLane(lane)));
clearTimeout(timer);
for (const sentence of leftOut) console.log(`left out: ${sentence}`);
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;

/** Every `lanes`th file in one process; its words are held back until the lane before has ended. Gives its exit code. */
async function runLane(lane: number): Promise<number> {
  const args = ['--test', '--test-isolation=none', '--test-force-exit', '--test-timeout=240000', '--no-warnings'];
  const own = files.filter((_file, index) => index % lanes === lane);
  // A group of its own, so that what its tests started ends with it.
  const child = spawn(process.execPath, [...args, ...own], {
    detached: true,
    stdio: ['ignore', lane === 0 ? 'inherit' : 'pipe', 'inherit'],
  });
  children[lane] = child;
  const held: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => held.push(chunk));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
  await ended(lane - 1);
  if (held.length > 0) process.stdout.write(Buffer.concat(held));
  return code;
}

function ended(lane: number): Promise<void> {
  const child = children[lane];
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => void child.once('close', () => resolve()));
}

function endAll(signal: NodeJS.Signals): void {
  for (const { pid } of children) {
    try {
      if (pid !== undefined) process.kill(-pid, signal);
    } catch {
      // It has ended already.
    }
  }
}
