import { Socket } from 'node:net';
import { Client } from '../src/client.ts';
import { contract } from '../src/contract.ts';
import { clientHelpers } from '../test/support/server.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { until } from '../test/support/wait.ts';
import { row } from './support/report.ts';
import { serveCommand, startProcess } from './support/server-process.ts';

const streamCount = 10_000;
const openAtOnce = 200;
const mebibyte = 1_048_576;

/** Memory with 10,000 open event streams, and how long one event takes to reach all of them. */
export async function benchStreams(): Promise<void> {
  await using directory = await temporaryDirectory();
  const env = { HOLDFAST_DATA_DIR: directory.path, HOLDFAST_PORT: '0', STORAGE_BACKEND: 'memory', LOG_LEVEL: 'silent' };
  const server = await startProcess(serveCommand, env);
  await new Promise((resolve) => setTimeout(resolve, 3_000)); // idle is what remains after the start has settled
  row('server: memory when idle', `${Math.round((await server.memory()) / mebibyte)} MiB`);
  const client = new Client({ url: server.url });
  const { operation_id, volume_id } = await client.call(contract.createVolume, {
    body: { name: 'bench', size: '1GiB' },
  });
  await clientHelpers(client).ended(operation_id);
  let heard = 0;
  const { hostname, port } = new URL(server.url);
  const sockets: Socket[] = [];
  for (let opened = 0; opened < streamCount; opened += openAtOnce) {
    const batch = Array.from({ length: openAtOnce }, () =>
      open(hostname, Number(port), `/api/v1/volumes/${volume_id}/events?follow=true`, () => heard++),
    );
    sockets.push(...(await Promise.all(batch)));
  }
  await until('every stream told the current state', () => heard >= streamCount, 60_000);
  row(`server: memory with ${streamCount} open streams`, `${Math.round((await server.memory()) / mebibyte)} MiB`);
  heard = 0;
  const beganAt = performance.now();
  await client.call(contract.attachVolume, { params: { volume: volume_id! }, body: { node_id: 'node-1' } });
  await until('every stream told both transitions', () => heard >= streamCount * 2, 60_000);
  row(`events: two transitions to ${streamCount} streams`, `${Math.round(performance.now() - beganAt)} ms`);
  for (const socket of sockets) socket.destroy();
  await server.kill();
}

function open(host: string, port: number, path: string, onEvent: () => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    socket.once('error', reject);
    socket.connect(port, host, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nAccept: text/event-stream\r\n\r\n`);
    });
    let isOpen = false;
    socket.on('data', (chunk) => {
      if (!isOpen) resolve(socket);
      isOpen = true;
      for (let at = chunk.indexOf('data: '); at >= 0; at = chunk.indexOf('data: ', at + 1)) onEvent();
    });
  });
}

if (import.meta.main) await benchStreams();
