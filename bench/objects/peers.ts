import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { radosgwAvailable, startRadosgw } from '../../test/support/radosgw.ts';
import { freePort } from '../../test/support/free-port.ts';
import { until } from '../../test/support/wait.ts';
import { row } from '../support/report.ts';
import type { S3Target } from './targets.ts';

export interface Peer {
  readonly target: S3Target;
  stop(): Promise<void>;
}

/** Debian's radosgw on a Ceph whose one OSD keeps everything in memory. */
export async function startRadosgwPeer(): Promise<Peer | null> {
  const missing = radosgwAvailable();
  if (missing !== null) return leftOut('radosgw', missing);
  const gateway = await startRadosgw();
  const { accessKey, secret } = gateway.credentials;
  const target = { name: 'radosgw', url: gateway.endpoint, accessKey, secret, bucket: 'bench' };
  return { target, stop: () => gateway.stop() };
}

/** The npm package s3rver, installed for this run alone: it is no dependency of ours. */
export async function startS3rverPeer(directory: string): Promise<Peer | null> {
  const home = join(directory, 's3rver');
  await mkdir(home, { recursive: true });
  try {
    const args = ['install', '--prefix', home, '--no-audit', '--no-fund', '--loglevel=error', 's3rver@3.7.1'];
    await promisify(execFile)('npm', args, { timeout: 120_000 });
  } catch (error) {
    return leftOut('s3rver', error instanceof Error ? error.message.split('\n')[0]! : String(error));
  }
  const port = await freePort();
  const bin = join(home, 'node_modules/s3rver/bin/s3rver.js');
  const child = spawn(process.execPath, [bin, '-d', join(home, 'blobs'), '-a', '127.0.0.1', '-p', String(port), '-s'], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  await answers(url);
  const target = { name: 's3rver', url, accessKey: 'S3RVER', secret: 'S3RVER', bucket: 'bench' };
  return { target, stop: () => end(child) };
}

export interface Nginx {
  readonly url: string;
  stop(): Promise<void>;
}

/** nginx with one worker, serving a directory. */
export async function startNginx(directory: string, root: string): Promise<Nginx | null> {
  const port = await freePort();
  const config = join(directory, 'nginx.conf');
  await writeFile(
    config,
    `daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
user root; events { worker_connections 256; }
http { access_log off; sendfile on; keepalive_requests 1000000; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p;
fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
server { listen 127.0.0.1:${port}; root ${root}; } }`,
  );
  const child = spawn('nginx', ['-c', config, '-e', join(directory, 'nginx.log')], { stdio: 'ignore' });
  const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  const url = `http://127.0.0.1:${port}`;
  const problem = await Promise.race([failed, answers(url).then(() => null)]);
  return problem === null ? { url, stop: () => end(child) } : leftOut('nginx', problem);
}

async function answers(url: string): Promise<void> {
  await until(`${url} answers`, () =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  );
}

async function end(child: ChildProcess): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await exited;
}

function leftOut(name: string, reason: string): null {
  row(`${name}: left out`, reason);
  return null;
}
