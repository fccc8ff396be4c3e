import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportQos, ExportSpec } from '../target.ts';
import { throttleLimits } from './limits.ts';
import { readState } from './live.ts';
import { nodeNames } from './names.ts';
import { closeNodes, openNodes, publish, unpublish } from './nodes.ts';
import type { QmpConnection } from './qmp/connection.ts';

const CLEANUP_TIMEOUT_MS = 5_000;

type Wanted = Omit<ExportSpec, 'tls' | 'allowedHosts'>;

/** Makes an export that is not there, from the bottom up, after taking away what an earlier attempt may have left. */
export async function makeExport(qmp: QmpConnection, wanted: Wanted, signal: AbortSignal): Promise<void> {
  await closeNodes(qmp, wanted.exportId, signal);
  await orNothing(qmp, wanted.exportId, async () => {
    await openNodes(qmp, wanted, signal);
    await publish(qmp, wanted, signal);
  });
}

/**
 * Gives an export its new size: takes it away, opens the image anew (which may have been grown by then), grows it where it is
 * smaller, and serves it again. It never shrinks an image.
 *
 * @throws HoldfastError `conflict` when a client is connected, and `invalid` when the image is larger; it is served as before.
 */
export async function resizeExport(
  qmp: QmpConnection,
  wanted: Wanted & { readonly qmpId: string; readonly isClosing: boolean; readonly sizeBytes: bigint },
  sizeBytes: bigint,
  signal: AbortSignal,
): Promise<void> {
  const { exportId } = wanted;
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) throw cannotBe(exportId, sizeBytes, 'that is too large');
  if (sizeBytes < wanted.sizeBytes) throw cannotBe(exportId, sizeBytes, `it has ${wanted.sizeBytes} already`);
  if (sizeBytes === wanted.sizeBytes) return;
  await unpublish(qmp, wanted, false, signal);
  await closeNodes(qmp, exportId, signal);
  const refusal = await orNothing(qmp, exportId, async () => {
    await openNodes(qmp, wanted, signal);
    const refused = await grow(qmp, wanted, sizeBytes, signal);
    await publish(qmp, wanted, signal);
    return refused;
  });
  if (refusal !== null) throw refusal;
}

/** What speaks against it, if anything, so that the export is served again first. */
async function grow(
  qmp: QmpConnection,
  { exportId, readOnly }: Wanted,
  sizeBytes: bigint,
  signal: AbortSignal,
): Promise<unknown> {
  const { top } = nodeNames(exportId);
  const nodes = await qmp.execute('query-named-block-nodes', { flat: true }, signal);
  const now = BigInt(nodes.find((node) => node['node-name'] === top)?.image['virtual-size'] ?? 0);
  if (now === sizeBytes) return null;
  if (now > sizeBytes) return cannotBe(exportId, sizeBytes, `its image has ${now}`);
  if (readOnly) return cannotBe(exportId, sizeBytes, `its image has ${now}, and it is read-only`);
  try {
    await qmp.execute('block_resize', { 'node-name': top, size: Number(sizeBytes) }, signal);
    return null;
  } catch (error) {
    return error;
  }
}

function cannotBe(exportId: string, sizeBytes: bigint, why: string): HoldfastError {
  const sentence = `The export ${exportId} cannot be made ${sizeBytes} bytes large: ${why}.`;
  return new HoldfastError('invalid', sentence, { field: 'size_bytes' });
}

/** On failure takes away what was made, as far as that goes; what is left over then is found by the next attempt. */
async function orNothing<T>(qmp: QmpConnection, exportId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
    await takeAway(qmp, exportId, signal).catch(() => undefined);
    throw error;
  }
}

async function takeAway(qmp: QmpConnection, exportId: string, signal: AbortSignal): Promise<void> {
  const { exports } = await readState(qmp, signal);
  // It may have come to be although its answer was late. Nobody was told of it; who is on it all the same stays.
  for (const each of exports) if (each.exportId === exportId) await unpublish(qmp, each, false, signal);
  await closeNodes(qmp, exportId, signal);
}

export async function setLimits(
  qmp: QmpConnection,
  exportId: string,
  qos: ExportQos,
  signal: AbortSignal,
): Promise<void> {
  const path = `/objects/${nodeNames(exportId).group}`;
  await qmp.execute('qom-set', { path, property: 'limits', value: throttleLimits(qos) }, signal);
}
