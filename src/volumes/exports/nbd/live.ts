import { openFilesOf, isReplaced } from './open-files.ts';
import type { ExportSource, LiveExport } from '../target.ts';
import { type Endpoint, connectionTo } from './connection-info.ts';
import type { Daemon } from './daemon.ts';
import { sourceOf } from './image-node.ts';
import { qosOf } from './limits.ts';
import { type NamedExport, nbdName, nodeNames, parseQmpId } from './names.ts';
import { meaningOf } from './problem.ts';
import type { QmpNode } from './qmp/commands.ts';
import type { QmpConnection } from './qmp/connection.ts';

/** An export of ours in a daemon, and which image it serves. */
export interface FoundExport extends NamedExport {
  readonly qmpId: string;
  readonly source: ExportSource;
  readonly sizeBytes: bigint;
  /** NBD knows no hosts. */
  readonly allowedHosts: readonly string[];
  readonly isClosing: boolean;
}

/** What a daemon says that it has, at one moment. */
export interface DaemonState {
  readonly exports: readonly FoundExport[];
  /** The names of all nodes, those without an export included. */
  readonly nodeNames: ReadonlySet<string>;
}

/** Reads what is live from the daemon itself. */
export async function readState(qmp: QmpConnection, signal: AbortSignal): Promise<DaemonState> {
  const [exports, nodes] = await Promise.all([
    qmp.execute('query-block-exports', undefined, signal),
    qmp.execute('query-named-block-nodes', { flat: true }, signal),
  ]);
  const byName = new Map<string, QmpNode>(nodes.map((node) => [node['node-name'] ?? '', node]));
  const found: FoundExport[] = [];
  for (const each of exports) {
    const named = parseQmpId(each.id);
    if (named === null) continue;
    const names = nodeNames(named.exportId);
    const image = byName.get(names.image);
    const source = image === undefined ? null : sourceOf(image);
    // Both answers are of one moment only when nothing was changed between them; a half of an export is none.
    if (image === undefined || source === null) continue;
    const sizeBytes = BigInt(image.image['virtual-size']);
    const isClosing = each['shutting-down'];
    found.push({ ...named, qmpId: each.id, source, sizeBytes, allowedHosts: [], isClosing });
  }
  return { exports: found, nodeNames: new Set(byName.keys()) };
}

/** Adds what is to be asked for each export: its limits, and whether its file was replaced. */
export async function describe(
  found: readonly FoundExport[],
  daemon: Daemon,
  endpoint: Omit<Endpoint, 'port'>,
  signal: AbortSignal,
): Promise<LiveExport[]> {
  const qmp = await daemon.qmp(signal);
  const openFiles = found.some(({ source }) => source.kind === 'file') ? await openFilesOf(daemon.pid) : null;
  const live = await Promise.all(
    found.map(async (each): Promise<LiveExport | null> => {
      const { exportId, volumeId, generation, source, readOnly, sizeBytes, isClosing } = each;
      const limits = await readLimits(qmp, exportId, signal);
      // It was removed since.
      if (limits === null) return null;
      return {
        exportId,
        volumeId,
        generation,
        source,
        readOnly,
        sizeBytes,
        qos: qosOf(limits),
        isTls: endpoint.identity !== null,
        allowedHosts: [],
        isClosing,
        isStale: await isReplaced(source, openFiles),
        connection: connectionTo({ ...endpoint, port: daemon.port }, nbdName(each), readOnly),
      };
    }),
  );
  return live.filter((each) => each !== null);
}

async function readLimits(qmp: QmpConnection, exportId: string, signal: AbortSignal): Promise<unknown> {
  const path = `/objects/${nodeNames(exportId).group}`;
  try {
    return await qmp.execute('qom-get', { path, property: 'limits' }, signal);
  } catch (error) {
    if (meaningOf(error) === 'absent') return null;
    throw error;
  }
}
