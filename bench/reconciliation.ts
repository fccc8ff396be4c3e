import { Client } from '../src/client.ts';
import { contract } from '../src/contract.ts';
import { loadConfig } from '../src/kernel/config/config.ts';
import { createIdSource } from '../src/kernel/ids.ts';
import { createLog } from '../src/kernel/telemetry/log.ts';
import { startServer } from '../src/server.ts';
import type { VolumeBackend } from '../src/volumes/backends/backend.ts';
import { createCephBackend } from '../src/volumes/backends/ceph/backend.ts';
import { createFileBackend } from '../src/volumes/backends/file/file.ts';
import { cephAvailable, startCeph } from '../test/support/ceph.ts';
import { testFlags } from '../test/support/server.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { until } from '../test/support/wait.ts';
import { row } from './support/report.ts';

const volumes = Number(process.env['VOLUMES'] ?? 10_000);
const atOnce = 8;
const phaseMaxMs = 600_000;
const MIB = 1_048_576n;

/** How long a start takes to compare many volumes with their images, on files and on RBD. */
export async function benchReconciliation(): Promise<void> {
  await using directory = await temporaryDirectory();
  const files = createFileBackend({ directory: `${directory.path}/volumes` });
  await measure('files', files, directory.path, { 'storage-backend': 'file' });
  const missing = cephAvailable();
  if (missing !== null) return row('reconciliation on RBD', `left out: ${missing}`);
  const cluster = await startCeph();
  try {
    await using other = await temporaryDirectory();
    const ceph = createCephBackend({ name: 'ceph', pool: cluster.pool, conf: cluster.conf });
    await measure('RBD', ceph, other.path, { 'storage-backend': 'ceph', 'ceph-conf': cluster.conf });
  } finally {
    await cluster.stop();
  }
}

async function measure(
  what: string,
  backend: VolumeBackend,
  directory: string,
  flags: Readonly<Record<string, string>>,
): Promise<void> {
  await makeImages(backend);
  await backend.close();
  const start = async (policy: 'ignore' | 'import') => {
    const all = { ...testFlags(directory), ...flags, 'reconcile-backend-only': policy };
    const server = await startServer(loadConfig({ flags: all, env: {} }), { log: createLog({ level: 'silent' }) });
    return { server, client: new Client({ url: server.url }) };
  };
  const first = await start('import');
  await until('all are imported', () => hasRun(first.client, new RegExp(`${volumes} imported`)), phaseMaxMs);
  const idle = async () => {
    const query = { status: 'executing', limit: 1 } as const;
    return (await first.client.call(contract.listOperations, { query })).items.length === 0;
  };
  await until('nothing is under way', idle, phaseMaxMs);
  await first.server.stop();
  const second = await start('ignore');
  const compared = new RegExp(`^${volumes} volumes compared, 0 without an image, 0 left behind`);
  const run = await until('all are compared', () => hasRun(second.client, compared), phaseMaxMs);
  await second.server.stop();
  row(`${volumes} volumes on ${what}: compared at the start`, `${(run.tookMs / 1_000).toFixed(1)} s`);
}

async function hasRun(client: Client, result: RegExp): Promise<{ readonly tookMs: number } | null> {
  const { items } = await client.call(contract.listKeepers);
  const keeper = items.find(({ name }) => name === 'volume-reconciler');
  if (keeper?.last_result == null || keeper.running || !result.test(keeper.last_result)) return null;
  return { tookMs: Date.parse(keeper.last_finished_at!) - Date.parse(keeper.last_started_at!) };
}

async function makeImages(backend: VolumeBackend): Promise<void> {
  const newId = createIdSource();
  const left = Array.from({ length: volumes }, () => newId('vol')).values();
  const worker = async () => {
    for (const image of left) {
      const context = { fence: 1, signal: AbortSignal.timeout(60_000) };
      await backend.create(context, { image, volumeId: image, name: `of-${image}`, sizeBytes: MIB });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

if (import.meta.main) await benchReconciliation();
