import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportKey } from '../target.ts';
import { LastWords } from './last-words.ts';
import { type PortRange, portsToTry } from './ports.ts';
import { type Environment, findStorageDaemon, minimalEnvironment } from './program.ts';
import { QmpConnection } from './qmp/connection.ts';
import { QmpRefusal } from './qmp/qmp-refusal.ts';

const STOP_TIMEOUT_MS = 2_500;
const SOCKET_POLL_MS = 5;
/** A daemon that has just started answers within milliseconds. */
const GREETING_MS = 1_000;
/** The length that the kernel takes for the path of a unix socket (unix(7)), with the NUL at its end. */
const SOCKET_PATH_BYTES_MAX = 108;
const CONNECTIONS_MAX = 1024;
const TLS_CREDENTIALS = 'holdfast-psk';

/**
 * Becomes the daemon, so that the id of this child is the daemon's. Beside it a watcher reads our end of the standard input
 * and kills the daemon when that closes, as it does by itself when this process dies in whatever way.
 */
const WRAPPER = `
exec 3<&0
daemon=$$
( while read -r line; do :; done; kill -KILL "$daemon" ) <&3 >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
`;

export interface DaemonSettings {
  readonly host: string;
  readonly ports: PortRange;
  /** Where a directory with the daemon's socket is made; its own, with mode 0700. */
  readonly runDirectory: string;
  readonly environment: Environment;
  readonly log: (message: string) => void;
}

export interface DaemonPlace {
  readonly preferredPort: number | null;
  readonly takenPorts: ReadonlySet<number>;
  readonly tls: ExportKey | null;
}

/** One life of a `qemu-storage-daemon` that serves NBD on one port, until it has ended. */
export class Daemon {
  readonly pid: number;
  readonly port: number;
  /** Resolves to why, when it has ended. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #socketPath: string;
  #connection: QmpConnection;
  #connecting: Promise<QmpConnection> | null = null;

  constructor(child: StartedChild, port: number, connection: QmpConnection) {
    this.pid = child.pid;
    this.port = port;
    this.ended = child.ended;
    this.#process = child.process;
    this.#socketPath = child.socketPath;
    this.#connection = connection;
  }

  /** Its monitor. A connection that was lost is made again: clients of the exports need not suffer for it. */
  async qmp(signal: AbortSignal): Promise<QmpConnection> {
    if (this.#connection.isOpen) return this.#connection;
    this.#connecting ??= QmpConnection.open(this.#socketPath, signal).finally(() => (this.#connecting = null));
    this.#connection = await this.#connecting;
    return this.#connection;
  }

  /** Ends it at once, frozen or not. Its owner is told of the loss, as of any other end that it did not ask for. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  /** Lets it flush and close its images, and ends it by force after 2.5 s. */
  async stop(): Promise<void> {
    this.#connection.close();
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }
}

/** @throws HoldfastError `unavailable` why it does not come up. */
export async function startDaemon(settings: DaemonSettings, place: DaemonPlace, signal: AbortSignal): Promise<Daemon> {
  const binary = await findStorageDaemon(settings.environment);
  const directory = await privateDirectory(settings.runDirectory);
  let child: StartedChild | null = null;
  try {
    const socketPath = join(directory, 'qmp.sock');
    if (Buffer.byteLength(socketPath) >= SOCKET_PATH_BYTES_MAX) {
      const sentence = `The path ${socketPath} is too long for a socket; choose a shorter directory for exports.`;
      throw new HoldfastError('unavailable', sentence, { reason: 'path_too_long' });
    }
    if (place.tls !== null) await writeKey(directory, place.tls);
    child = startChild(binary, directory, socketPath, settings);
    const connection = await firstConnection(child, signal);
    const port = await listen(connection, settings, place, directory, signal);
    return new Daemon(child, port, connection);
  } catch (error) {
    if (child === null) await rm(directory, { recursive: true, force: true });
    else child.process.kill('SIGKILL');
    throw error;
  }
}

interface StartedChild {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly socketPath: string;
  readonly ended: Promise<string>;
  readonly words: LastWords;
  hasEnded(): boolean;
}

function startChild(binary: string, directory: string, socketPath: string, settings: DaemonSettings): StartedChild {
  // A comma ends a value on QEMU's command line, unless it is doubled.
  const chardev = `socket,path=${socketPath.replaceAll(',', ',,')},server=on,wait=off,id=monitor`;
  const command = [binary, '--chardev', chardev, '--monitor', 'chardev=monitor'];
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'sh', ...command], {
    env: minimalEnvironment(settings.environment),
    stdio: ['pipe', 'ignore', 'pipe'],
    // A group of its own: a terminal's Ctrl-C is for us, who then still have exports to take away.
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  const words = new LastWords(child.stderr, (line) => settings.log(`export daemon: ${line}`));
  let hasEnded = false;
  const { promise, resolve } = Promise.withResolvers<string>();
  const onEnd = (reason: string): void => {
    hasEnded = true;
    endGroup(child);
    void rm(directory, { recursive: true, force: true, maxRetries: 3 })
      .catch(() => undefined)
      .then(() => resolve(reason));
  };
  child.once('error', (error) => onEnd(error.message));
  child.once('exit', (code, signal) => onEnd(signal ?? `exit code ${code}: ${words.last()}`));
  return { process: child, pid: child.pid ?? 0, socketPath, ended: promise, words, hasEnded: () => hasEnded };
}

/** The watcher is still in the group when the daemon has gone, so the group's id is no one else's yet. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
  child.stdin?.destroy();
}

async function firstConnection(child: StartedChild, signal: AbortSignal): Promise<QmpConnection> {
  for (;;) {
    if (child.hasEnded()) {
      throw new HoldfastError('unavailable', `qemu-storage-daemon did not start: ${child.words.last()}.`);
    }
    try {
      return await QmpConnection.open(child.socketPath, AbortSignal.any([signal, AbortSignal.timeout(GREETING_MS)]));
    } catch (error) {
      // The socket comes a moment after the process. One that is accepted while the monitor is still being set up may be greeted
      // and then never be read from (seen with QEMU 7.2 on a busy machine); the next one is.
      if (signal.aborted) {
        const sentence = `qemu-storage-daemon did not come up in time: ${child.words.last()}.`;
        throw new HoldfastError('unavailable', sentence, {}, error);
      }
    }
    await delay(SOCKET_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function listen(
  connection: QmpConnection,
  { host, ports }: DaemonSettings,
  { preferredPort, takenPorts, tls }: DaemonPlace,
  directory: string,
  signal: AbortSignal,
): Promise<number> {
  if (tls !== null) {
    const psk = { 'qom-type': 'tls-creds-psk', id: TLS_CREDENTIALS, dir: keyDirectory(directory) } as const;
    await connection.execute('object-add', { ...psk, endpoint: 'server' }, signal);
  }
  let refusal: QmpRefusal | null = null;
  for await (const port of portsToTry(ports, host, preferredPort, takenPorts)) {
    try {
      const addr = { type: 'inet', data: { host, port: String(port) } } as const;
      const credentials = tls === null ? {} : { 'tls-creds': TLS_CREDENTIALS };
      await connection.execute(
        'nbd-server-start',
        { addr, 'max-connections': CONNECTIONS_MAX, ...credentials },
        signal,
      );
      return port;
    } catch (error) {
      if (!(error instanceof QmpRefusal)) throw error;
      refusal = error;
    }
  }
  const why = refusal?.description ?? 'every port of the range is taken';
  const sentence = `Exports cannot listen on ${host}, ports ${ports.first} to ${ports.last}: ${why}.`;
  throw new HoldfastError('unavailable', sentence, { reason: 'no_port' });
}

async function privateDirectory(runDirectory: string): Promise<string> {
  try {
    await mkdir(runDirectory, { recursive: true });
    // The mode of what mkdtemp makes is 0700.
    return await mkdtemp(join(runDirectory, 'nbd-'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new HoldfastError('unavailable', `The directory for exports cannot be used: ${why}.`, {}, error);
  }
}

function keyDirectory(directory: string): string {
  return join(directory, 'keys');
}

async function writeKey(directory: string, { identity, keyHex }: ExportKey): Promise<void> {
  await mkdir(keyDirectory(directory), { mode: 0o700 });
  await writeFile(join(keyDirectory(directory), 'keys.psk'), `${identity}:${keyHex.toLowerCase()}\n`, { mode: 0o600 });
}
