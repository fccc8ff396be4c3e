import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Client } from '../../src/client.ts';

/** Many times what it takes, also on a busy machine whose processor is emulated. */
const startTimeoutMs = 180_000;
const bin = join(import.meta.dirname, '../../bin/holdfast.js');

/** The real server in a process of its own, as a user starts it. */
export interface ServeProcess {
  readonly url: string;
  readonly s3Url: string;
  readonly client: Client;
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Asks it to stop; gives the exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts `holdfast serve` with these flags and resolves when it is ready. Throws what it printed when it ends instead.
 * `nodeArgs` are for Node itself.
 */
export async function serveProcess(
  flags: Readonly<Record<string, string>>,
  nodeArgs: readonly string[] = [],
): Promise<ServeProcess> {
  const args = Object.entries({ 's3-port': '0', ...flags }).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [...nodeArgs, bin, 'serve', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: cleanEnv(),
  });
  // One that is still starting must not outlive the tests either.
  process.once('exit', () => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const url = await ready(child, () => text);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  return {
    url,
    s3Url: /S3 (http:\S+?),/.exec(text)?.[1] ?? '',
    client: new Client({ url }),
    pid: child.pid!,
    output: () => text,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
}

/** The settings of whoever runs the tests are not the tests' business. */
export function cleanEnv(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env))
    if (/^(HOLDFAST_|CEPH_|VOLUME_|DATABASE_|STORAGE_|RECONCILE_|HOST_|EXPORT_|DEVICE_)/.test(name)) delete env[name];
  return env;
}

function ready(child: ChildProcess, text: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the server did not become ready: ${text()}`));
    }, startTimeoutMs);
    const look = () => {
      const found = /ready: API (http:\/\/[\w.:[\]]+)\/api/.exec(text());
      if (found === null) return;
      clearTimeout(timer);
      resolve(found[1]!);
    };
    child.stdout!.on('data', look);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code}: ${text()}`));
    });
  });
}
