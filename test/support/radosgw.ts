/**
 * A real S3 server for tests: Debian's radosgw on a one-node Ceph of its own (see ceph.ts), on a free loopback port, with
 * one user. It is up about two seconds after its cluster. Debian packages: radosgw, and those of ceph.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { type SigningCredentials, signRequest } from '../../src/objects/s3/signature/sign.ts';
import { type CephCluster, cephAvailable, startCeph } from './ceph.ts';
import { freePort } from './free-port.ts';
import { until } from './wait.ts';
import { suspend } from './suspend.ts';

const START_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 30_000;
const LOG_TAIL_LINES = 12;
const name = 'client.rgw.test';

export interface Radosgw {
  readonly cluster: CephCluster;
  /** For path style, such as `http://127.0.0.1:40123`. */
  readonly endpoint: string;
  readonly port: number;
  /** Buckets are also hosts below this name, which no resolver knows. */
  readonly dnsName: string;
  readonly credentials: SigningCredentials;
  /** Runs `radosgw-admin`; resolves to what it printed. */
  admin(...args: string[]): Promise<string>;
  /** Sends a signed request, such as `PUT /bucket`; throws for a status of 300 or more. */
  call(method: string, path: string, body?: string): Promise<string>;
  /** Stops the server in place (SIGSTOP): every call hangs until {@link Radosgw.resume}. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends the server and its cluster, and removes their directory. */
  stop(): Promise<void>;
}

/** `null` when a server can be started here; else one sentence that says what is missing. */
export function radosgwAvailable(): string | null {
  const missing = ['radosgw', 'radosgw-admin'].filter((tool) => !isInstalled(tool));
  if (missing.length > 0) return `${missing.join(', ')} not found; on Debian: apt-get install radosgw`;
  return cephAvailable();
}

/** Runs the tests where radosgw is; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL asks for the real thing. */
export function withRadosgw(suiteName: string, tests: () => void): void {
  const missing = radosgwAvailable();
  if (missing === null) {
    void describe(suiteName, tests);
    return;
  }
  const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
  void test(suiteName, { skip: isRequired ? false : `radosgw: ${missing}` }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}

/** @throws Error naming what failed, with the last lines of the server's log. */
export async function startRadosgw(): Promise<Radosgw> {
  const cluster = await startCeph();
  const directory = dirname(cluster.conf);
  try {
    return await startOn(cluster, directory);
  } catch (error) {
    const log = await readFile(join(directory, 'rgw.log'), 'utf8').catch(() => '(no log)');
    await cluster.stop();
    const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    throw new Error(`radosgw did not start: ${error instanceof Error ? error.message : String(error)}\n${tail}`, {
      cause: error,
    });
  }
}

async function startOn(cluster: CephCluster, directory: string): Promise<Radosgw> {
  const conf = join(directory, 'rgw.conf');
  const port = await freePort();
  const dnsName = 's3.test';
  const credentials = { accessKey: 'HOLDFASTTESTKEY', secret: randomUUID(), region: 'us-east-1' };
  await writeFile(conf, `${await readFile(cluster.conf, 'utf8')}${settings(directory, port, dnsName)}`);
  // Seven pools of the usual size would be more placement groups than one OSD may have.
  await cluster.run('ceph', 'config', 'set', 'global', 'osd_pool_default_pg_num', '1');
  const admin = (...args: string[]) => cluster.run('radosgw-admin', '-c', conf, '-n', name, ...args);
  const user = ['--uid', 'holdfast', '--display-name', 'Holdfast', '--access-key', credentials.accessKey];
  await admin('user', 'create', ...user, '--secret-key', credentials.secret);
  const server = new Server(conf);
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await until('radosgw answers', () => server.isAnswering(endpoint), START_TIMEOUT_MS);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    cluster,
    endpoint,
    port,
    dnsName,
    credentials,
    admin,
    call: (method, path, body) => call(endpoint, credentials, { method, path, body }),
    pause: () => suspend(server.pid),
    resume: () => void process.kill(server.pid, 'SIGCONT'),
    async stop() {
      await server.stop();
      await cluster.stop();
    },
  };
}

function settings(directory: string, port: number, dnsName: string): string {
  const lines = [
    `[${name}]`,
    // Without it each answer waits 40 ms for the acknowledgement of its first half.
    `rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1`,
    `rgw dns name = ${dnsName}`,
    `log file = ${directory}/rgw.log`,
    // radosgw asks for encrypted connections to monitors by default, which a cluster without keys cannot give.
    'ms mon client mode = crc',
    'rgw thread pool size = 32',
    'rgw enable usage log = false',
    'rgw enable ops log = false',
    'rgw enable gc threads = false',
    'rgw enable lc threads = false',
    'rgw enable quota threads = false',
    'rgw run sync thread = false',
    'rgw dynamic resharding = false',
    // Each of these objects is made or looked at when the server starts.
    'rgw override bucket index max shards = 1',
    'rgw data log num shards = 1',
    'rgw md log max shards = 1',
    'rgw gc max objs = 1',
    'rgw lc max objs = 1',
    'rgw objexp hints num shards = 1',
    'rgw reshard num logs = 1',
    'rgw usage max shards = 1',
  ];
  return `${lines.join('\n')}\n`;
}

/** The daemon, ended by its process id. */
class Server {
  readonly #child: ChildProcess;
  readonly #onExit = (): void => void this.#child.kill('SIGKILL');

  constructor(conf: string) {
    const args = ['-c', conf, '-n', name, '-f'];
    // With `setpriv` the kernel ends the daemon even when the test process is killed hard.
    this.#child = isInstalled('setpriv')
      ? spawn('setpriv', ['--pdeathsig', 'KILL', 'radosgw', ...args], { stdio: 'ignore' })
      : spawn('radosgw', args, { stdio: 'ignore' });
    this.#child.on('error', () => undefined);
    process.on('exit', this.#onExit);
  }

  async isAnswering(endpoint: string): Promise<boolean> {
    if (this.#hasEnded) throw new Error(`radosgw ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
    try {
      const reply = await fetch(endpoint, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
      await reply.arrayBuffer();
      return reply.ok;
    } catch {
      return false;
    }
  }

  /** @throws Error when it has ended. */
  get pid(): number {
    if (this.#hasEnded) throw new Error('radosgw is not running');
    return this.#child.pid!;
  }

  async stop(): Promise<void> {
    process.off('exit', this.#onExit);
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  get #hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
}

async function call(endpoint: string, credentials: SigningCredentials, { method, path, body }: Call): Promise<string> {
  const [rawPath = '/', rawQuery = ''] = path.split('?');
  const request = { method, rawPath, rawQuery, rawHeaders: ['host', new URL(endpoint).host] };
  const payloadHash = hash('sha256', body ?? '', 'hex');
  const raw = signRequest(request, credentials, { timeMs: Date.now(), payloadHash });
  const headers = new Headers();
  for (let index = 0; index < raw.length; index += 2) headers.set(raw[index]!, raw[index + 1]!);
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const reply = await fetch(endpoint + path, { method, headers, body: body ?? null, signal });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
  return text;
}

function isInstalled(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
