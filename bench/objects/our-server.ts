import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { type ServerProcess, serveCommand, startProcess } from '../support/server-process.ts';
import type { S3Target } from './targets.ts';

export interface OurServer {
  readonly target: S3Target;
  readonly process: ServerProcess;
  readonly client: Client;
}

/** Our server with one directory as its backend, SQLite and full durability. */
export async function startOurs(directory: string, env: Readonly<Record<string, string>> = {}): Promise<OurServer> {
  const own = { HOLDFAST_DATA_DIR: join(directory, 'data'), HOLDFAST_PORT: '0', LOG_LEVEL: 'silent', ...env };
  const process = await startProcess(serveCommand, own);
  const client = new Client({ url: process.url });
  const path = join(directory, 'blobs');
  await mkdir(path, { recursive: true });
  await client.call(contract.addObjectBackend, { body: { name: 'disk', kind: 'filesystem', config: { path } } });
  const { access_key: accessKey, secret } = await client.call(contract.createKey, { body: {} });
  const target = { name: 'holdfast', url: await s3UrlOf(client), accessKey, secret, bucket: 'bench' };
  return { target, process, client };
}

/** The S3 port was picked by the system: an address that the server signs tells it. */
async function s3UrlOf(client: Client): Promise<string> {
  await client.call(contract.createBucket, { body: { name: 'where' } });
  const { url } = await client.call(contract.presignObject, {
    params: { bucket: 'where', key: 'x' } as never,
    body: {},
  });
  return new URL(url).origin.replace('localhost', '127.0.0.1');
}
