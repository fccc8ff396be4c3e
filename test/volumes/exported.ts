/** What tests do with volumes that are exported over NBD: as users by the API, and as somebody who looks at the machine. */
import assert from 'node:assert/strict';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { contract } from '../../src/contract.ts';
import type { BodyOf, ReplyOf } from '../../src/kernel/http/contract.ts';
import type { OperationReply } from '../support/server.ts';
import { qemuIo, runClient, tryQemuIo } from '../support/qemu.ts';
import type { Hand, KeeperReply } from './world.ts';
import { until } from '../support/wait.ts';

export type ExportReply = ReplyOf<typeof contract.listExports>['items'][number];

/** A volume that is attached and exported. */
export interface Exported {
  readonly operation: OperationReply;
  readonly attachmentId: string;
  readonly exportId: string;
  readonly uri: string;
  readonly port: number;
}

/** Attaches with an export, over NBD unless `body` says otherwise, and waits for both. */
export async function attachExported(
  hand: Hand,
  volume: string,
  body: Partial<BodyOf<typeof contract.attachVolume>> = {},
): Promise<Exported> {
  const wish = { node_id: 'node-a', transport: 'nbd' as const, ...body };
  const accepted = await hand.client.call(contract.attachVolume, { params: { volume }, body: wish });
  return exportedBy(hand, volume, await hand.completed(accepted.id));
}

/** What an operation that made an export told of it, checked against the list of exports. */
export async function exportedBy(hand: Hand, volume: string, operation: OperationReply): Promise<Exported> {
  const [one, ...others] = await exportsOf(hand, volume);
  assert.ok(one !== undefined && others.length === 0, 'a volume has one export');
  assert.equal(one.state, 'active', one.reason ?? '');
  const { exports } = operation.output as { exports: readonly { readonly id: string; readonly connection: unknown }[] };
  assert.deepEqual(exports, [{ id: one.id, transport: one.transport, connection: one.connection }]);
  const { uri, port } = one.connection!;
  return { operation, attachmentId: one.attachment_id, exportId: one.id, uri, port };
}

export async function exportsOf(hand: Hand, volume: string): Promise<readonly ExportReply[]> {
  return (await hand.client.call(contract.listExports, { params: { volume } })).items;
}

/** Asks for a detach; gives how it ended. */
export async function detach(
  hand: Hand,
  volume: string,
  body: BodyOf<typeof contract.detachVolume> = {},
): Promise<OperationReply> {
  return hand.ended((await hand.client.call(contract.detachVolume, { params: { volume }, body })).id);
}

/** Asks for the end of an export; gives how that ended. */
export async function unexport(hand: Hand, volume: string, exportId: string, force = false): Promise<OperationReply> {
  const request = { params: { volume, export: exportId }, query: { force } };
  return hand.ended((await hand.client.call(contract.deleteExport, request)).id);
}

/** Writes 64 KiB of one byte, and flushes. */
export async function write(uri: string, byte: number, offset = 0): Promise<void> {
  await qemuIo(uri, `write -P ${byte} ${offset} 64k`, 'flush');
}

/** Whether 64 KiB of that byte are there. */
export async function reads(uri: string, byte: number, offset = 0): Promise<boolean> {
  const args = ['-r', '-f', 'raw', '-c', `read -P ${byte} ${offset} 64k`, uri];
  const { stdout, stderr } = await runClient('qemu-io', args);
  if (!/read 65536\/65536/.test(stdout)) throw new Error(`qemu-io could not read: ${stdout}${stderr}`);
  return !stdout.includes('Pattern verification failed');
}

export async function sizeSeen(uri: string): Promise<number> {
  const { status, stdout, stderr } = await runClient('nbdinfo', ['--size', uri]);
  assert.equal(status, 0, stderr);
  return Number(stdout.trim());
}

/** Fails when anything answers to this address with bytes; gives what the client was told. */
export async function reachesNothing(uri: string): Promise<string> {
  const { stdout, stderr } = await tryQemuIo(uri, 'read 0 512');
  assert.doesNotMatch(stdout, /read 512\/512/);
  return stderr;
}

/** The process that listens on a port of this machine. */
export async function listenerOf(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const socket = sockets.find(([, local, , state]) => local?.endsWith(`:${hex}`) === true && state === '0A');
  assert.ok(socket !== undefined, `nobody listens on port ${port}`);
  const wanted = `socket:[${socket[9]}]`;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const folder = `/proc/${pid}/fd`;
    const names = await readdir(folder).catch(() => []);
    const links = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
    if (links.includes(wanted)) return Number(pid);
  }
  return assert.fail(`the process that listens on port ${port} cannot be seen`);
}

/** Lets the keeper of exports look once more, from beginning to end. */
export async function runExportKeeper(hand: Hand): Promise<KeeperReply> {
  const name = 'export-keeper';
  const status = async () => {
    const { items } = await hand.client.call(contract.listKeepers);
    return items.find((keeper) => keeper.name === name)!;
  };
  const before = await until('the keeper of exports rests', async () => {
    const now = await status();
    return now.running ? null : now;
  });
  await hand.client.call(contract.runKeeper, { params: { name }, body: {} });
  return until('the keeper of exports has run', async () => {
    const now = await status();
    return now.runs > before.runs && !now.running ? now : null;
  });
}

/**
 * Waits until a volume's export serves, and gives its address. After a crash the record may say so a moment before it is so
 * again.
 */
export function usableUri(hand: Hand, volume: string, timeoutMs?: number): Promise<string> {
  const read = async () => {
    const [one] = await exportsOf(hand, volume);
    if (one?.state !== 'active' || one.connection === null) return null;
    const { uri } = one.connection;
    return (await runClient('nbdinfo', ['--size', uri])).status === 0 ? uri : null;
  };
  return until(`volume ${volume} has a usable export`, read, timeoutMs);
}

/** Waits until a host counts as dead, by `HOST_DEAD_AFTER` of the server that is asked. */
export async function untilDead(hand: Hand, host: string): Promise<void> {
  await until(`host ${host} is dead`, async () => {
    const { items } = await hand.client.call(contract.listHosts);
    return items.find(({ name }) => name === host)?.state === 'dead';
  });
}
