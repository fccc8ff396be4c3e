import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { ChildLog } from './child-log.ts';
import { type Environment, findRclone, minimalEnvironment } from './program.ts';
import { remoteError } from './rc-error.ts';
import { remoteEnvironment, remoteName } from './remote-environment.ts';
import type { RcloneSettings } from './settings.ts';

const USER = 'holdfast';
/**
 * Runs rclone, and kills it when our end of its standard input closes, as it does by itself when this process dies in
 * whatever way. The `read` is the shell's own, so ending the watching subshell leaves nothing behind.
 */
const WRAPPER = `
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
( while read -r line; do :; done; kill -KILL "$child" ) <&3 >/dev/null 2>&1 &
watcher=$!
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

const fixedArguments = [
  // No file: neither read nor written.
  '--config',
  '',
  '--addr',
  '127.0.0.1:0',
  '--rc',
  '--rc-addr',
  '127.0.0.1:0',
  '--use-json-log',
  // What was listed once may be gone: every answer is to come from the remote itself.
  '--cache-objects=false',
  // Else a rename over a blob of the same time and size would be skipped.
  '--ignore-times',
  // Else listing a bucket costs a request for each of its objects.
  '--use-server-modtime',
  // Buffers of rclone's own would be another 16 MiB for each stream.
  '--buffer-size',
  '0',
  '--contimeout',
  '15s',
  '--low-level-retries',
  '3',
  '--stats',
  '0',
  // Deadlines of a whole transfer, which would cut long streams off; ours are of progress.
  '--server-read-timeout',
  '720h',
  '--server-write-timeout',
  '720h',
  '--rc-server-read-timeout',
  '720h',
  '--rc-server-write-timeout',
  '720h',
  '--max-header-bytes',
  '32768',
];

/** A running rclone that serves one remote on two loopback ports, under a password that only we know. */
export interface RcloneChild {
  /** Blobs by path, as restic's REST protocol has them. */
  readonly dataOrigin: string;
  /** Its remote control. */
  readonly controlOrigin: string;
  /** The header for both. */
  readonly authorization: string;
  readonly log: ChildLog;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Ends it, and whatever it started. */
  end(): void;
}

/**
 * Starts rclone and waits until it listens.
 *
 * @throws HoldfastError `unavailable` when rclone is missing or does not come up; `backend` for settings that it refuses.
 */
export async function startRclone(
  settings: RcloneSettings,
  environment: Environment,
  signal: AbortSignal,
): Promise<RcloneChild> {
  const binary = await findRclone(environment);
  const remote = await remoteEnvironment(binary, settings, environment, signal);
  const password = randomBytes(24).toString('base64url');
  const credentials = { RCLONE_USER: USER, RCLONE_PASS: password, RCLONE_RC_USER: USER, RCLONE_RC_PASS: password };
  const command = [binary, 'serve', 'restic', `${remoteName}:${settings.remotePath}`, ...fixedArguments];
  const shell = spawn('/bin/sh', ['-c', WRAPPER, 'sh', ...command], {
    env: { ...minimalEnvironment(environment), ...remote, ...credentials },
    stdio: ['pipe', 'ignore', 'pipe'],
    // A group of its own: a terminal's Ctrl-C is for us, who then still need it to finish.
    detached: true,
  });
  shell.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    shell.once('error', () => resolve());
    shell.once('exit', () => resolve());
  });
  const log = new ChildLog(shell.stderr, [password, ...secretsOf(settings, remote)]);
  // Whatever is left in the group when the wrapper goes, goes with it.
  void ended.then(() => endGroup(shell));
  try {
    const origins = await listening(log, ended, signal);
    const authorization = `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`;
    return { ...origins, authorization, log, ended, end: () => endGroup(shell) };
  } catch (error) {
    endGroup(shell);
    throw error;
  }
}

async function listening(
  log: ChildLog,
  ended: Promise<void>,
  signal: AbortSignal,
): Promise<{ dataOrigin: string; controlOrigin: string }> {
  const stop = new AbortController();
  void ended.then(() => stop.abort());
  for (;;) {
    const data = log.find(/Serving restic REST API on \[?(http:\/\/127\.0\.0\.1:\d+)/);
    const control = log.find(/Serving remote control on \[?(http:\/\/127\.0\.0\.1:\d+)/);
    if (data !== null && control !== null) return { dataOrigin: data[1]!, controlOrigin: control[1]! };
    // Some remotes are called at once, so this may be the remote's word.
    if (stop.signal.aborted) throw remoteError('The rclone remote', 'start', log.last(), 'unavailable');
    if (signal.aborted) throw new HoldfastError('unavailable', `rclone did not come up in time: ${log.last()}.`);
    await log.change(AbortSignal.any([signal, stop.signal]));
  }
}

function secretsOf(settings: RcloneSettings, remote: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(settings.secretOptions).map((name) => name.toUpperCase());
  const obscured = Object.entries(remote).filter(([variable]) => names.some((name) => variable.endsWith(`_${name}`)));
  return [...Object.values(settings.secretOptions), ...obscured.map(([, value]) => value)];
}

function endGroup(child: ChildProcess): void {
  child.stdin?.destroy();
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}
