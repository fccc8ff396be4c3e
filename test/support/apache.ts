/**
 * Debian's Apache with mod_dav on a free loopback port, for tests: a configuration, a document root and a lock database of
 * its own in a temporary directory, nothing of the machine's. Several may run at once.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { until } from './wait.ts';

const run = promisify(execFile);
const binary = '/usr/sbin/apache2';
const modulesDirectory = '/usr/lib/apache2/modules';
const modules = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic', 'dav', 'dav_fs'];
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 5_000;

export interface Apache {
  /** A WebDAV collection, empty at first; its path ends with a slash. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Where the collection stands on this machine. */
  readonly directory: string;
  /** Ends it at once (SIGKILL), and starts it again on the same port and data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** `null` when a server can be started here, else what to install. */
export function apacheMissing(): string | null {
  const isThere = existsSync(binary) && existsSync(join(modulesDirectory, 'mod_dav_fs.so'));
  return isThere ? null : 'Apache with mod_dav is not installed: apt-get install apache2';
}

/** @throws Error with the end of its log when it does not start. */
export async function startApache(): Promise<Apache> {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-apache-'));
  const directory = join(home, 'root', 'dav');
  const port = await freePort();
  const [username, password] = ['holdfast', 'pass word:é'];
  await mkdir(directory, { recursive: true });
  await mkdir(join(home, 'locks'));
  const hash = createHash('sha1').update(password).digest('base64');
  await writeFile(join(home, 'users'), `${username}:{SHA}${hash}\n`);
  await writeFile(join(home, 'apache.conf'), await configuration(home, port));
  const identity = await unprivileged();
  if (identity !== null) {
    for (const path of [home, join(home, 'root'), directory, join(home, 'locks'), join(home, 'users')]) {
      await chown(path, identity.uid, identity.gid);
    }
  }
  let server: ChildProcess | null = null;
  const onExit = (): void => endGroup(server, 'SIGKILL');
  process.on('exit', onExit);

  async function start(): Promise<void> {
    const args = ['-d', home, '-f', join(home, 'apache.conf'), '-DFOREGROUND'];
    // A group of its own, so that the workers end with it even when it is killed.
    const child = spawn(binary, args, { stdio: 'ignore', detached: true });
    child.on('error', () => undefined);
    server = child;
    await until('Apache answers', () => hasEnded(child) || answers(port), START_TIMEOUT_MS);
    if (hasEnded(child)) throw new Error(`Apache did not start: ${await logTail(home)}`);
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = server;
    if (child === null || hasEnded(child)) return;
    const ended = new Promise<boolean>((resolve) => child.once('exit', () => resolve(true)));
    endGroup(child, signal);
    const timer = setTimeout(() => endGroup(child, 'SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
  await start();
  return {
    url: `http://127.0.0.1:${port}/dav/`,
    username,
    password,
    directory,
    start,
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGTERM');
      process.off('exit', onExit);
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function configuration(home: string, port: number): Promise<string> {
  const files = await readdir(modulesDirectory);
  const isRoot = userInfo().uid === 0;
  return [
    // Modules that a build has within itself are no files.
    ...modules
      .filter((name) => files.includes(`mod_${name}.so`))
      .map((name) => `LoadModule ${name}_module ${join(modulesDirectory, `mod_${name}.so`)}`),
    ...(isRoot ? ['User www-data', 'Group www-data'] : []),
    `ServerName 127.0.0.1`,
    `Listen 127.0.0.1:${port}`,
    `PidFile ${home}/pid`,
    `DefaultRuntimeDir ${home}`,
    `ErrorLog ${home}/error.log`,
    `DocumentRoot ${home}/root`,
    `DAVLockDB ${home}/locks/lock`,
    'StartServers 1',
    'ThreadsPerChild 64',
    'MaxRequestWorkers 64',
    'KeepAlive On',
    'MaxKeepAliveRequests 0',
    'Timeout 60',
    `<Directory ${home}/root>`,
    '  Require all denied',
    '</Directory>',
    '<Location /dav>',
    '  DAV On',
    '  AuthType Basic',
    '  AuthName tests',
    `  AuthUserFile ${home}/users`,
    '  Require valid-user',
    '</Location>',
    '',
  ].join('\n');
}

/** Apache gives up its rights when it is started as root, to the package's own user. */
async function unprivileged(): Promise<{ uid: number; gid: number } | null> {
  if (userInfo().uid !== 0) return null;
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith('www-data:'));
  const [, , uid, gid] = (line ?? '').split(':');
  return uid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    async (response) => {
      await response.arrayBuffer();
      return true;
    },
    () => false,
  );
}

function endGroup(child: ChildProcess | null, signal: NodeJS.Signals): void {
  if (child?.pid === undefined || hasEnded(child)) return;
  // SIGTERM to the parent alone ends the workers in order; SIGKILL must reach them too.
  try {
    process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function logTail(home: string): Promise<string> {
  const log = await readFile(join(home, 'error.log'), 'utf8').catch(() => '');
  if (log !== '') return log.split('\n').slice(-8).join('\n');
  const args = ['-d', home, '-f', join(home, 'apache.conf'), '-t'];
  return run(binary, args).then(
    ({ stderr }) => stderr,
    (error: unknown) => String(error),
  );
}
