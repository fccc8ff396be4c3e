/**
 * A one-node Ceph for tests: a real monitor and a real OSD on memstore, on free loopback ports, in a directory of its
 * own. Nothing is shared, so several may run at once. The settings that make it start in seconds come from the Ceph
 * documents (manual deployment; `paxos propose interval` and `paxos min wait` shorten the monitor's commit delay).
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from './free-port.ts';
import { suspend } from './suspend.ts';

const START_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
const LOG_TAIL_LINES = 12;

export interface CephCluster {
  /** Path of the cluster's ceph.conf. */
  readonly conf: string;
  /** Addresses for `mon_host`. */
  readonly monitors: readonly string[];
  /** An RBD pool, initialised. */
  readonly pool: string;
  /** Runs `rbd` or another Ceph tool against this cluster, with a deadline; resolves to what it printed. */
  run(tool: string, ...args: string[]): Promise<string>;
  /** Stops the OSD in place (SIGSTOP): every data call hangs until {@link CephCluster.resume}. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends both daemons by their process ids and removes the directory. */
  stop(): Promise<void>;
}

/** `null` when a test cluster can be started here; else one sentence that says what is missing. */
export function cephAvailable(): string | null {
  const missing = ['ceph-mon', 'ceph-osd', 'ceph', 'rbd', 'monmaptool'].filter((tool) => which(tool) === null);
  if (missing.length === 0) return null;
  return `${missing.join(', ')} not found; on Debian: apt-get install ceph-mon ceph-osd ceph-common librbd1`;
}

/**
 * Starts a cluster and waits until its pool takes images.
 *
 * @throws Error naming the step that failed, with the last lines of the daemons' logs, at the latest after 60 s.
 */
export async function startCeph(): Promise<CephCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-ceph-'));
  const daemons = new Daemons(directory);
  const [first, second] = await freePorts(2);
  const ports = [first!, second!] as const;
  const conf = join(directory, 'ceph.conf');
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
  try {
    await writeConf(conf, directory, ports);
    await startMonitor(conf, directory, ports, daemons, deadline);
    await startOsd(conf, directory, daemons, deadline);
  } catch (error) {
    const logs = await logTails(directory);
    await daemons.stop();
    throw new Error(`One-node Ceph did not start: ${messageOf(error)}\n${logs}`, { cause: error });
  }
  return {
    conf,
    monitors: [`v2:127.0.0.1:${ports[0]}`],
    pool: 'rbd',
    run: (tool, ...args) => run(tool, ['-c', conf, ...args], AbortSignal.timeout(COMMAND_TIMEOUT_MS)),
    pause: () => suspend(daemons.pidOf('osd')),
    resume: () => void process.kill(daemons.pidOf('osd'), 'SIGCONT'),
    stop: () => daemons.stop(),
  };
}

async function writeConf(conf: string, directory: string, ports: readonly [number, number]): Promise<void> {
  const lines = [
    '[global]',
    `fsid = ${randomUUID()}`,
    `mon host = [v2:127.0.0.1:${ports[0]},v1:127.0.0.1:${ports[1]}]`,
    'auth cluster required = none',
    'auth service required = none',
    'auth client required = none',
    'osd pool default size = 1',
    'osd pool default min size = 1',
    'mon allow pool size one = true',
    'osd crush chooseleaf type = 0',
    'paxos propose interval = 0.05',
    'paxos min wait = 0.01',
    `run dir = ${directory}`,
    `log file = ${directory}/$name.log`,
    '[client]',
    'log file =',
    '[mon.a]',
    `mon data = ${directory}/mon`,
    '[osd.0]',
    `osd data = ${directory}/osd`,
    'public addr = 127.0.0.1',
    'cluster addr = 127.0.0.1',
    'osd objectstore = memstore',
    'memstore device bytes = 4294967296',
  ];
  await writeFile(conf, `${lines.join('\n')}\n`);
}

async function startMonitor(
  conf: string,
  directory: string,
  ports: readonly [number, number],
  daemons: Daemons,
  deadline: AbortSignal,
): Promise<void> {
  const fsid = /fsid = (.*)/.exec(await readFile(conf, 'utf8'))?.[1] ?? '';
  const address = `[v2:127.0.0.1:${ports[0]},v1:127.0.0.1:${ports[1]}]`;
  const monmap = join(directory, 'monmap');
  await mkdir(join(directory, 'mon'));
  await run('monmaptool', ['--create', '--addv', 'a', address, '--fsid', fsid, '--clobber', monmap], deadline);
  await run('ceph-mon', ['-c', conf, '--mkfs', '-i', 'a', '--monmap', monmap], deadline);
  daemons.start('mon', 'ceph-mon', ['-c', conf, '-i', 'a', '-f']);
  await run('ceph', ['-c', conf, 'mon', 'enable-msgr2'], deadline);
}

async function startOsd(conf: string, directory: string, daemons: Daemons, deadline: AbortSignal): Promise<void> {
  const ceph = (...args: string[]): Promise<string> => run('ceph', ['-c', conf, ...args], deadline);
  const uuid = randomUUID();
  await mkdir(join(directory, 'osd'));
  await ceph('osd', 'new', uuid);
  await run('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', uuid], deadline);
  daemons.start('osd', 'ceph-osd', ['-c', conf, '-i', '0', '-f']);
  await ceph('osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=h');
  await ceph('osd', 'pool', 'create', 'rbd', '8', '8');
  await ceph('osd', 'pool', 'application', 'enable', 'rbd', 'rbd');
  while (!/\b1 up\b/.test(await ceph('osd', 'stat'))) {
    daemons.assertAlive();
    await delay(100, undefined, { signal: deadline });
  }
  await run('rbd', ['-c', conf, 'pool', 'init', 'rbd'], deadline);
}

/** The two daemons of one cluster, ended by process id. */
class Daemons {
  readonly #directory: string;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #onExit = (): void => this.#killAll();

  constructor(directory: string) {
    this.#directory = directory;
    process.on('exit', this.#onExit);
  }

  start(name: string, tool: string, args: readonly string[]): void {
    // With `setpriv` the kernel ends the daemon even when the test process is killed hard.
    const child =
      which('setpriv') === null
        ? spawn(tool, args, { stdio: 'ignore' })
        : spawn('setpriv', ['--pdeathsig', 'KILL', tool, ...args], { stdio: 'ignore' });
    child.on('error', () => undefined);
    this.#processes.set(name, child);
  }

  assertAlive(): void {
    for (const [name, child] of this.#processes) {
      if (hasEnded(child)) throw new Error(`ceph-${name} ended with ${child.exitCode ?? child.signalCode}`);
    }
  }

  /** @throws Error when it has ended. */
  pidOf(name: string): number {
    const child = this.#processes.get(name);
    if (child === undefined || hasEnded(child)) throw new Error(`ceph-${name} is not running`);
    return child.pid!;
  }

  async stop(): Promise<void> {
    const ends = [...this.#processes.values()].filter((child) => !hasEnded(child)).map(exitOf);
    this.#killAll();
    await Promise.race([Promise.all(ends), delay(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    process.off('exit', this.#onExit);
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #killAll(): void {
    // SIGKILL also ends a stopped process; memstore holds nothing worth a slow shutdown.
    for (const child of this.#processes.values()) if (!hasEnded(child)) child.kill('SIGKILL');
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function run(tool: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(tool, args, { signal, killSignal: 'SIGKILL', encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${tool} ${args.join(' ')}: ${error.message} ${stderr}`, { cause: error }));
    });
  });
}

async function logTails(directory: string): Promise<string> {
  const tails: string[] = [];
  for (const name of ['mon.a', 'osd.0']) {
    const text = await readFile(join(directory, `${name}.log`), 'utf8').catch(() => '(no log)');
    tails.push(`--- ${name}.log`, ...text.trimEnd().split('\n').slice(-LOG_TAIL_LINES));
  }
  return tails.join('\n');
}

function which(tool: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, tool)).find((path) => existsSync(path)) ?? null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
