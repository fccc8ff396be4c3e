/** What a user does at the machine that uses volumes; runs inside a guest, where machine and server are one. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { until } from '../support/wait.ts';

const commandTimeoutMs = 90_000;
export const waitMs = 90_000;

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line of shell to its end, whatever that is. */
export function attempt(command: string, timeoutMs = commandTimeoutMs): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', command], { timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ status, stdout, stderr });
    });
  });
}

/** Runs a line of shell that must succeed, and gives what it printed. */
export async function run(command: string): Promise<string> {
  const { status, stdout, stderr } = await attempt(command);
  assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
  return stdout;
}

/** The disk of a subsystem, and its controller, by the subsystem's name; `null` while there is none. */
export async function nvmeOf(nqn: string): Promise<{ readonly disk: string; readonly controller: string } | null> {
  const root = '/sys/class/nvme-subsystem';
  for (const subsystem of await readdir(root)) {
    const name = await readFile(`${root}/${subsystem}/subsysnqn`, 'utf8').catch(() => '');
    if (name.trim() !== nqn) continue;
    const entries = await readdir(`${root}/${subsystem}`);
    const disk = entries.find((entry) => /^nvme\d+n\d+$/.test(entry));
    const controller = entries.find((entry) => /^nvme\d+$/.test(entry));
    if (disk !== undefined && controller !== undefined) return { disk: `/dev/${disk}`, controller };
  }
  return null;
}

/** Waits until a device has this size, as the kernel sees it. */
export async function seesSize(device: string, sizeBytes: number): Promise<void> {
  const path = `/sys/block/${device.replace('/dev/', '')}/size`;
  await until(
    `${device} has ${sizeBytes} bytes`,
    async () => Number(await readFile(path, 'utf8')) * 512 === sizeBytes,
    waitMs,
  );
}

/** Bytes of the filesystem at a path. */
export async function filesystemBytes(path: string): Promise<number> {
  const [blocks = 0, size = 0] = (await run(`stat -f -c '%b %S' ${path}`)).trim().split(' ').map(Number);
  return blocks * size;
}
