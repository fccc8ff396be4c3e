import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chown, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { until } from './wait.ts';

const run = promisify(execFile);
const versionsDirectory = '/usr/lib/postgresql';
const initTimeoutMs = 60_000;

/** A real PostgreSQL server of the test's own, on loopback, with its data in a temporary directory. */
export interface PostgresServer {
  /** Makes an empty database and gives its URL. */
  createDatabase(): Promise<string>;
  /** Ends every connection at once and starts again on the same data and port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** `null` when a server can be started here, else what to install. */
export async function postgresMissing(): Promise<string | null> {
  return (await binaries()) === null ? 'PostgreSQL is not installed: apt-get install postgresql' : null;
}

/**
 * Starts a server. Tests kill processes and never the machine, so what it has written is there without its waiting for the
 * disk; `isDurable` has it wait, for who measures.
 */
export async function startPostgres({ isDurable = false } = {}): Promise<PostgresServer> {
  const bin = await binaries();
  if (bin === null) throw new Error('PostgreSQL is not installed');
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-pg-'));
  const identity = await unprivileged();
  if (identity !== null) await chown(directory, identity.uid, identity.gid);
  const data = join(directory, 'data');
  const options = { ...identity, timeout: initTimeoutMs };
  const cluster = ['-U', 'holdfast', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  await run(join(bin, 'initdb'), ['-D', data, ...cluster], options);
  const settings = ['-c', 'max_connections=200', '-c', `fsync=${isDurable ? 'on' : 'off'}`];
  const port = await freePort();
  let server = start();

  function start(): ChildProcess {
    const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', directory, ...settings];
    return spawn(join(bin!, 'postgres'), args, { ...identity, stdio: 'ignore' });
  }
  process.once('exit', () => {
    server.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  const url = (database: string) => `postgres://holdfast@127.0.0.1:${port}/${database}`;
  const ready = () => until('PostgreSQL accepts connections', () => canConnect(url('postgres')), 30_000);
  async function end(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
    server.kill(signal);
    await exited;
  }
  await ready();
  let databases = 0;
  return {
    async createDatabase() {
      const name = `test_${++databases}`;
      const client = new pg.Client({ connectionString: url('postgres') });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return url(name);
    },
    async restart() {
      await end('SIGINT');
      server = start();
      await ready();
    },
    async stop() {
      await end('SIGQUIT');
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function binaries(): Promise<string | null> {
  const versions = await readdir(versionsDirectory).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => b - a)[0];
  return newest === undefined ? null : join(versionsDirectory, String(newest), 'bin');
}

/** PostgreSQL refuses to run as root, so a root test run lends it the package's own user. */
async function unprivileged(): Promise<{ uid: number; gid: number } | null> {
  if (userInfo().uid !== 0) return null;
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = (line ?? '').split(':');
  return uid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

async function canConnect(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
