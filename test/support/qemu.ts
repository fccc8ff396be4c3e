import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const PROGRAMS = ['qemu-storage-daemon', 'qemu-img', 'qemu-io', 'nbdinfo', 'nbdcopy'];
const COMMAND_TIMEOUT_MS = 30_000;
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

/** `null` when NBD exports can be made and checked here, else what to install. */
export function qemuMissing(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const isThere = (program: string) => folders.some((folder) => folder !== '' && existsSync(join(folder, program)));
  const missing = PROGRAMS.filter((program) => !isThere(program));
  if (missing.length === 0) return null;
  const packages = 'qemu-system-common qemu-utils qemu-block-extra libnbd-bin';
  return `${missing.join(', ')} not found; on Debian: apt-get install ${packages}`;
}

export interface ClientResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client program to its end, with a deadline. Never blocks this process, whose exports the client may be using. */
export function runClient(program: string, args: readonly string[], input = ''): Promise<ClientResult> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
    const child = spawn(program, args, { stdio: 'pipe', signal, killSignal: 'SIGKILL' });
    const outputs = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        if (outputs[name].length < OUTPUT_BYTES_MAX) outputs[name] += text;
      });
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...outputs }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Runs commands of qemu-io on an export, and fails unless each of them succeeded. */
export async function qemuIo(uri: string, ...commands: readonly string[]): Promise<string> {
  const result = await tryQemuIo(uri, ...commands);
  // It ends with 0 although a request failed.
  if (result.status === 0 && !/failed|error/i.test(result.stdout + result.stderr)) return result.stdout;
  throw new Error(`qemu-io ${commands.join('; ')} on ${uri}: ${result.stdout}${result.stderr}`);
}

export function tryQemuIo(uri: string, ...commands: readonly string[]): Promise<ClientResult> {
  return runClient('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri]);
}

export interface HeldClient {
  /** Runs one command of qemu-io over the connection that is held, and gives what it printed. */
  command(text: string): Promise<string>;
  /** Disconnects in order. */
  disconnect(): Promise<void>;
}

/** Connects qemu-io and keeps the connection open. */
export async function holdOpen(uri: string): Promise<HeldClient> {
  const child = spawn('qemu-io', ['-f', 'raw', uri], { stdio: 'pipe' });
  const onExit = (): void => void child.kill('SIGKILL');
  process.once('exit', onExit);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let output = '';
  let listener = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
      listener();
    });
  }
  child.stdin.on('error', () => undefined);
  const until = (isDone: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`qemu-io said: ${output}`)), COMMAND_TIMEOUT_MS);
      listener = () => {
        if (!isDone()) return;
        clearTimeout(timer);
        resolve();
      };
      listener();
    });
  // The prompt comes when it is connected, and again after each command.
  await until(() => output.includes('qemu-io> '));
  return {
    async command(text) {
      output = '';
      child.stdin.write(`${text}\n`);
      await until(() => output.includes('qemu-io> '));
      return output.replace('qemu-io> ', '');
    },
    async disconnect() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(timer);
      process.off('exit', onExit);
    },
  };
}
