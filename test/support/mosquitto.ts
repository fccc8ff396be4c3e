/**
 * Debian's mosquitto on a free loopback port, for tests: a configuration of its own in a temporary directory, nothing of the
 * machine's. Debian package: mosquitto.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { freePort } from './free-port.ts';
import { requireReal } from './stores.ts';
import { temporaryDirectory } from './temp.ts';
import { until } from './wait.ts';
import { suspend } from './suspend.ts';

const run = promisify(execFile);
const binary = '/usr/sbin/mosquitto';
const startTimeoutMs = 15_000;

export interface MosquittoOptions {
  /** Only for this user; else for everybody. */
  readonly user?: { readonly username: string; readonly password: string };
  /** With a certificate for 127.0.0.1 that it signs itself. */
  readonly isTls?: boolean;
}

export interface Mosquitto extends AsyncDisposable {
  /** Such as `mqtt://127.0.0.1:40123`. */
  readonly url: string;
  /** The certificate, as PEM; empty without TLS. */
  readonly ca: string;
  /** Ends it at once (SIGKILL); `start` starts it again on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Stops it in place (SIGSTOP): it takes connections, and answers nothing. */
  pause(): Promise<void>;
  resume(): void;
  /** Collects what is published to a topic, from now on. */
  collect(topic: string): Promise<{ readonly messages: readonly string[]; end(): Promise<void> }>;
}

/** `null` when it can be started here, else what to install. */
export function mosquittoMissing(): string | null {
  return existsSync(binary) ? null : 'mosquitto is not installed: apt-get install mosquitto';
}

/** Runs the tests where mosquitto is; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL asks for the real thing. */
export function withMosquitto(suite: string, tests: () => void): void {
  const missing = mosquittoMissing();
  if (missing === null) {
    void describe(suite, tests);
    return;
  }
  void test(suite, { skip: requireReal ? false : missing }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}

export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const home = await temporaryDirectory('holdfast-mosquitto-');
  // It may give up root for a user of its own, who reads the certificate then.
  await chmod(home.path, 0o755);
  const port = await freePort();
  const ca = options.isTls === true ? await makeCertificate(home.path) : '';
  const { user } = options;
  await writeFile(join(home.path, 'conf'), await configuration(home.path, port, options));
  const url = `${ca === '' ? 'mqtt' : 'mqtts'}://127.0.0.1:${port}`;
  let server: ChildProcess | null = null;
  const onExit = () => server?.kill('SIGKILL');
  process.once('exit', onExit);

  async function start(): Promise<void> {
    const child = spawn(binary, ['-c', join(home.path, 'conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    server = child;
    await until('mosquitto listens', () => child.exitCode !== null || canConnect(port), startTimeoutMs);
    if (child.exitCode !== null) throw new Error(`mosquitto did not start: ${said}`);
  }
  async function kill(): Promise<void> {
    const child = server;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await ended;
  }
  await start();
  return {
    url,
    ca,
    start,
    kill,
    pause: () => suspend(server?.pid),
    resume: () => void server?.kill('SIGCONT'),
    async collect(topic) {
      const client = await mqtt.connectAsync(url, { protocolVersion: 5, ...user, ...(ca === '' ? {} : { ca }) });
      const messages: string[] = [];
      client.on('message', (_topic, payload) => messages.push(payload.toString()));
      await client.subscribeAsync(topic, { qos: 1 });
      return { messages, end: () => client.endAsync(true) };
    },
    async [Symbol.asyncDispose]() {
      await kill();
      process.off('exit', onExit);
      await home[Symbol.asyncDispose]();
    },
  };
}

async function configuration(home: string, port: number, { user, isTls }: MosquittoOptions): Promise<string> {
  const lines = [`listener ${port} 127.0.0.1`, 'persistence false', 'log_dest stderr', 'log_type error', 'user root'];
  if (isTls === true) lines.push(`certfile ${home}/cert.pem`, `keyfile ${home}/key.pem`);
  if (user === undefined) return [...lines, 'allow_anonymous true', ''].join('\n');
  const file = join(home, 'users');
  await run('mosquitto_passwd', ['-b', '-c', file, user.username, user.password]);
  return [...lines, `password_file ${file}`, ''].join('\n');
}

async function makeCertificate(home: string): Promise<string> {
  const [key, cert] = [join(home, 'key.pem'), join(home, 'cert.pem')];
  const names = ['-subj', '/CN=holdfast test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    cert,
    ...names,
  ]);
  return readFile(cert, 'utf8');
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
