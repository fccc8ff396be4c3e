import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A server in a process of its own, so that its memory and time are its own. */
export interface ServerProcess {
  readonly url: string;
  readonly readyMs: number;
  /** Resident memory, in bytes. */
  memory(): Promise<number>;
  /** Processor time used so far, in milliseconds. */
  cpuMs(): Promise<number>;
  /** How many bytes it has read so far, from files and elsewhere. */
  readBytes(): Promise<number>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

const startTimeoutMs = 20_000;
const clockTicksPerSecond = 100;

/** What `npm start` runs. */
export const serveCommand = ['--max-semi-space-size=2', join(import.meta.dirname, '../../bin/holdfast.js'), 'serve'];

/** Starts a script that prints a URL when it is ready. */
export async function startProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const beganAt = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...process.env, HOLDFAST_S3_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // A bench that fails leaves nothing behind.
  const onExit = () => child.kill('SIGKILL');
  process.once('exit', onExit);
  child.once('exit', () => process.off('exit', onExit));
  const url = await firstUrl(child);
  const readyMs = performance.now() - beganAt;
  const end = async (signal: NodeJS.Signals) => {
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await exited;
  };
  return {
    url,
    readyMs,
    memory: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    },
    cpuMs: async () => {
      const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return ((Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond) * 1000;
    },
    readBytes: async () => Number(/rchar: (\d+)/.exec(await readFile(`/proc/${child.pid}/io`, 'utf8'))?.[1]),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

function firstUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the process did not become ready')), startTimeoutMs);
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /https?:\/\/[\w.:[\]]+/.exec(text);
      if (found === null) return;
      clearTimeout(timer);
      resolve(found[0]);
    });
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)));
  });
}
