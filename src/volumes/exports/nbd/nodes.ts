import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { checkWholeSectors } from '../export-rules.ts';
import type { ExportQos, ExportSource } from '../target.ts';
import { imageNode } from './image-node.ts';
import { throttleLimits } from './limits.ts';
import { type NamedExport, nbdName, newQmpId, nodeNames } from './names.ts';
import { type DaemonState, readState } from './live.ts';
import { meaningOf } from './problem.ts';
import type { QmpConnection } from './qmp/connection.ts';

const AGAIN_MS = 20;
/** An event may be lost with its connection; the truth is asked for at this pace as well. */
const LOOK_AGAIN_MS = 50;

/** Opens the image of an export, and puts the node with its limits above. */
export async function openNodes(
  qmp: QmpConnection,
  { exportId, source, readOnly, qos }: NamedExport & { readonly source: ExportSource; readonly qos: ExportQos },
  signal: AbortSignal,
): Promise<void> {
  await checkFile(source);
  const names = nodeNames(exportId);
  const limits = throttleLimits(qos);
  await qmp.execute('object-add', { 'qom-type': 'throttle-group', id: names.group, limits }, signal);
  await qmp.execute('blockdev-add', imageNode(source, names.image, readOnly), signal);
  const top = { driver: 'throttle', 'node-name': names.top, 'throttle-group': names.group, file: names.image };
  await qmp.execute('blockdev-add', { ...top, 'read-only': readOnly, discard: 'unmap' }, signal);
}

/** QEMU rounds a size up to whole sectors, and then serves, and writes, bytes that the image does not have. */
async function checkFile(source: ExportSource): Promise<void> {
  if (source.kind !== 'file') return;
  const facts = await stat(source.path, { bigint: true }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new HoldfastError('not_found', `The image of the export is not there: ${why}.`, {}, error);
  });
  if (!facts.isFile()) throw new HoldfastError('invalid', `What stands at ${source.path} is no file.`);
  checkWholeSectors(facts.size);
}

/** Begins to serve; the nodes must be there. */
export async function publish(qmp: QmpConnection, named: NamedExport, signal: AbortSignal): Promise<void> {
  const node = { 'node-name': nodeNames(named.exportId).top, name: nbdName(named), writable: !named.readOnly };
  await qmp.execute('block-export-add', { type: 'nbd', id: newQmpId(named), ...node }, signal);
}

/**
 * Takes one life of an export away, and waits until the daemon says that it is gone.
 *
 * @throws HoldfastError `conflict` when a client is connected and `force` is not given; nothing has changed then.
 */
export async function unpublish(
  qmp: QmpConnection,
  { qmpId, exportId, isClosing }: { readonly qmpId: string; readonly exportId: string; readonly isClosing: boolean },
  force: boolean,
  signal: AbortSignal,
): Promise<void> {
  // Listening begins before the command, and is for this life only: an event of an earlier one says nothing here.
  const { promise: deleted, resolve } = Promise.withResolvers<void>();
  const stop = qmp.onEvent(({ event, data }) => {
    if (event === 'BLOCK_EXPORT_DELETED' && data['id'] === qmpId) resolve();
  });
  try {
    if (!isClosing) await requestDelete(qmp, qmpId, exportId, force, signal);
    while (await isThere(qmp, qmpId, signal)) await Promise.race([deleted, delay(LOOK_AGAIN_MS)]);
  } finally {
    stop();
  }
}

async function requestDelete(
  qmp: QmpConnection,
  qmpId: string,
  exportId: string,
  force: boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    await qmp.execute('block-export-del', { id: qmpId, mode: force ? 'hard' : 'safe' }, signal);
  } catch (error) {
    const meaning = meaningOf(error);
    if (meaning === 'absent') return;
    if (meaning !== 'in_use') throw error;
    const sentence = `A client is connected to the export ${exportId}; it must disconnect first, or be cut by force.`;
    throw new HoldfastError('conflict', sentence, { reason: 'in_use', export_id: exportId }, error);
  }
}

async function isThere(qmp: QmpConnection, qmpId: string, signal: AbortSignal): Promise<boolean> {
  const exports = await qmp.execute('query-block-exports', undefined, signal);
  return exports.some(({ id }) => id === qmpId);
}

/** Closes what stands beneath an export, from the top down; what is absent is passed over. */
export async function closeNodes(qmp: QmpConnection, exportId: string, signal: AbortSignal): Promise<void> {
  const names = nodeNames(exportId);
  const steps = [
    () => qmp.execute('blockdev-del', { 'node-name': names.top }, signal),
    () => qmp.execute('blockdev-del', { 'node-name': names.image }, signal),
    () => qmp.execute('object-del', { id: names.group }, signal),
  ];
  for (const step of steps) await whileInUse(step, signal);
}

/** After clients were cut, requests that were under way may hold a node a moment longer. */
async function whileInUse(step: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await step();
      return;
    } catch (error) {
      const meaning = meaningOf(error);
      if (meaning === 'absent') return;
      if (meaning !== 'in_use' || signal.aborted) throw error;
    }
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether anything of the export is there: itself, or a node that was left behind. */
export function hasTraces(state: DaemonState, exportId: string): boolean {
  const { top, image } = nodeNames(exportId);
  const isNamed = state.exports.some((each) => each.exportId === exportId);
  return isNamed || state.nodeNames.has(top) || state.nodeNames.has(image);
}

/** @throws HoldfastError `backend` when something is left. */
export async function verifyGone(qmp: QmpConnection, exportId: string, signal: AbortSignal): Promise<void> {
  if (!hasTraces(await readState(qmp, signal), exportId)) return;
  const sentence = `Something of the export ${exportId} is still there after it was removed.`;
  throw new HoldfastError('backend', sentence, { export_id: exportId });
}
