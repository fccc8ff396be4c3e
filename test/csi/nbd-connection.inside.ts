/** The connector of NBD with a real kernel and a server that ends; runs inside a guest, see `nbd-connection.slow.ts`. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import type { Labels } from '../../src/csi/messages.ts';
import { LinuxSystem } from '../../src/csi/node/linux-system.ts';
import { NbdConnector } from '../../src/csi/node/nbd-connector.ts';
import { attribute } from '../../src/csi/node/sysfs.ts';
import { until } from '../support/wait.ts';

const image = '/scratch/nbd.img';
const sizeBytes = 16 * 1024 * 1024;
const port = 10_999;
const waitMs = 60_000;

/** Resolves when the server takes connections. */
async function serve(): Promise<ChildProcess> {
  const options = {
    blockdev: `driver=file,filename=${image},node-name=image`,
    'nbd-server': `addr.type=inet,addr.host=127.0.0.1,addr.port=${port}`,
    export: 'type=nbd,id=export,node-name=image,name=vol-1.g1,writable=on',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn('qemu-storage-daemon', args);
  process.once('exit', () => server.kill('SIGKILL'));
  const system = new LinuxSystem();
  const list = async () => (await system.run('nbdinfo', ['--list', `nbd://127.0.0.1:${port}`], waitMs)).code === 0;
  await until('the server', list, waitMs);
  return server;
}

async function end(server: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  server.kill('SIGKILL');
  await ended;
}

test('a connection whose server ended is lost, though its device stands; it is ended and made anew', async () => {
  const file = await open(image, 'w');
  await file.truncate(sizeBytes);
  await file.close();
  const connector = new NbdConnector(new LinuxSystem());
  const context = { transport: 'nbd', host: '127.0.0.1', port: String(port), name: 'vol-1.g1' };
  let handle: Labels = {};
  const target = () => ({ volumeId: 'vol-1', context, handle });
  const connect = () => connector.connect(target(), async (noted) => void (handle = noted));
  assert.equal(await connector.link(target()), 'lost', 'it was never made');

  const first = await serve();
  const device = await connect();
  assert.equal(await connector.link(target()), 'live');
  await end(first);
  // What is known of the kernel, and the reason why the connection itself is asked.
  assert.equal(await connector.find(target()), device);
  assert.notEqual(await attribute('/sys/block', device.slice('/dev/'.length), 'pid'), null);
  assert.equal(await until('the loss', async () => (await connector.link(target())) === 'lost', waitMs), true);

  await connector.disconnect(target());
  assert.equal(await connector.find(target()), null);
  const second = await serve();
  await connect();
  assert.equal(await connector.link(target()), 'live');
  await connector.disconnect(target());
  assert.equal(await connector.link(target()), 'lost');
  await end(second);
});
