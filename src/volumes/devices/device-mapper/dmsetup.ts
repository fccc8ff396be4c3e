import { spawn } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

export interface DmsetupResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `dmsetup` once, with `input` (a table) on its standard input. A status other than 0 is a result, no error. */
export type RunDmsetup = (args: readonly string[], input: string, signal: AbortSignal) => Promise<DmsetupResult>;

export interface DmsetupOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** How long one call may take. */
  readonly timeoutMs?: number;
  /** The socket by which udev is known to run. */
  readonly udevControl?: string;
  /** Searched after the PATH, since that of a service often leaves out where administration programs are. */
  readonly systemFolders?: readonly string[];
}

const outputBytesMax = 16 * 1024 * 1024;

/** A {@link RunDmsetup} with the `dmsetup` of this machine, which is looked for at each call and never run by a shell. */
export function createDmsetup(options: DmsetupOptions = {}): RunDmsetup {
  const environment = options.environment ?? process.env;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const udevControl = options.udevControl ?? '/run/udev/control';
  const systemFolders = options.systemFolders ?? ['/usr/sbin', '/sbin'];
  return async (args, input, signal) => {
    const binary = await findDmsetup([...(environment['PATH'] ?? '').split(delimiter), ...systemFolders]);
    const env: Record<string, string> = { LC_ALL: 'C' };
    // With udev, dmsetup waits until udev has made the name; where nobody answers it would wait in vain.
    if (!existsSync(udevControl)) env['DM_DISABLE_UDEV'] = '1';
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    return runToEnd(binary, args, { input, env, signal: deadline });
  };
}

async function findDmsetup(folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const file = join(folder, 'dmsetup');
    const isThere =
      folder !== '' &&
      (await access(file, constants.X_OK).then(
        () => true,
        () => false,
      ));
    if (isThere) return file;
  }
  const sentence = 'The program dmsetup is not installed on this host; on Debian: apt-get install dmsetup.';
  throw new HoldfastError('unavailable', sentence, { reason: 'not_installed' });
}

interface RunOptions {
  readonly input: string;
  readonly env: Record<string, string>;
  readonly signal: AbortSignal;
}

function runToEnd(binary: string, args: readonly string[], options: RunOptions): Promise<DmsetupResult> {
  const { input, env, signal } = options;
  const command = args[0] ?? '';
  const noAnswer = `dmsetup ${command} did not answer in time; what it did is unknown.`;
  return new Promise((resolve, reject) => {
    // A call on a device whose disk hangs may not even be killed, so its end is not waited for after the deadline.
    const onAbort = (): void => reject(new HoldfastError('unavailable', noAnswer, { reason: 'timeout' }));
    if (signal.aborted) return onAbort();
    const child = spawn(binary, args, { env, stdio: 'pipe', signal, killSignal: 'SIGKILL' });
    signal.addEventListener('abort', onAbort, { once: true });
    const outputs = { stdout: '', stderr: '' };
    let bytes = 0;
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        bytes += text.length;
        if (bytes > outputBytesMax) child.kill('SIGKILL');
        else outputs[name] += text;
      });
    }
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', (error) => {
      if (signal.aborted) onAbort();
      else reject(new HoldfastError('unavailable', `dmsetup could not be run: ${error.message}.`, {}, error));
    });
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', onAbort);
      if (code !== null) resolve({ status: code, ...outputs });
      else reject(new HoldfastError('unavailable', `dmsetup ${command} was ended by ${String(killedBy)}.`));
    });
  });
}
