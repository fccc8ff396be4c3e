import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apacheMissing } from './apache.ts';
import { cephAvailable } from './ceph.ts';
import { guestMissing } from './guest/guest.ts';
import { postgresMissing } from './postgres.ts';
import { qemuMissing } from './qemu.ts';
import { radosgwAvailable } from './radosgw.ts';
import { rcloneMissing } from './rclone.ts';
import { tools, toolsMissing } from './s3-clients.ts';

/**
 * `npm test`: every test that this machine can run, and a word on what was left out. Arguments choose files.
 *
 * Files share processes, so that the loader works seldom, and what it has compiled is kept for the next process. Three
 * processes are at work at a time, since most tests wait for disks, servers and the clock; there are several shares for each
 * of the three, so that these end at about the same time. What a process says is told when it has ended, or at once when
 * there is only one. A run that takes too long is ended, so that nobody waits for a test that hangs.
 */
const patterns = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['src/**/*.test.ts', 'test/**/*.test.ts'];
const files = globSync(patterns).toSorted();
const lanes = 3;
const shares = files.length > 20 ? 15 : 1;
const runTimeoutMs = 30 * 60_000;

const missing = [
  await postgresMissing(),
  cephAvailable(),
  radosgwAvailable(),
  apacheMissing(),
  rcloneMissing(),
  qemuMissing(),
  guestMissing('stock'),
  guestMissing('auth'),
  toolsMissing(...Object.values(tools)),
];
const leftOut = missing.filter((sentence) => sentence !== null);
const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';

for (const sentence of leftOut) console.log(isRequired ? `missing: ${sentence}` : `left out: ${sentence}`);
if (isRequired && leftOut.length > 0) {
  console.log('HOLDFAST_REQUIRE_REAL=1 makes a missing real system a failure.');
  process.exit(1);
}

const children = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => endAll(signal));
const timer = setTimeout(() => {
  console.log(`The run took more than ${runTimeoutMs / 60_000} minutes; what is named last below did not end.`);
  endAll('SIGKILL');
}, runTimeoutMs);

// A machine that is emulated needs both cores, so guests come last, and nothing runs beside them.
const isInGuest = (file: string) => file.startsWith('test/guest/');
const outside = files.filter((file) => !isInGuest(file));
const waiting = Array.from({ length: shares }, (_none, share) => outside.filter((_file, at) => at % shares === share));
let hasFailed = false;
let isEnded = false;
const failures: string[] = [];
await Promise.all(Array.from({ length: lanes }, runLane));
if (!isEnded) waiting.push(...files.filter(isInGuest).map((file) => [file]));
await runLane();
clearTimeout(timer);
for (const sentence of leftOut) console.log(`left out: ${sentence}`);
// Once more at the end, where somebody who reads only that will look.
for (const told of failures) console.log(told);
process.exitCode = hasFailed ? 1 : 0;

async function runLane(): Promise<void> {
  for (let share = waiting.shift(); share !== undefined; share = waiting.shift()) {
    if (share.length > 0 && (await runFiles(share)) !== 0) hasFailed = true;
  }
}

/** Runs files in one process, and gives its exit code. */
async function runFiles(share: readonly string[]): Promise<number> {
  const args = ['--test', '--test-isolation=none', '--test-force-exit', '--test-timeout=400000', '--no-warnings'];
  // A group of its own, so that what its tests started ends with it.
  const child = spawn(process.execPath, [...args, ...share], {
    detached: true,
    // Where our command keeps what it has compiled, so that all programs which tests start are loaded from there.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'), ...process.env },
    stdio: ['ignore', shares === 1 ? 'inherit' : 'pipe', 'inherit'],
  });
  children.add(child);
  const held: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => held.push(chunk));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
  children.delete(child);
  const told = Buffer.concat(held).toString();
  process.stdout.write(told);
  const failuresAt = told.indexOf('\n✖ failing tests:');
  if (failuresAt !== -1) failures.push(told.slice(failuresAt));
  return code;
}

function endAll(signal: NodeJS.Signals): void {
  isEnded = true;
  waiting.length = 0;
  for (const { pid } of children) {
    try {
      if (pid !== undefined) process.kill(-pid, signal);
    } catch {
      // It has ended already.
    }
  }
}
