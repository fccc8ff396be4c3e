import { createIdSource } from '../src/kernel/ids.ts';
import { createCephBackend } from '../src/volumes/backends/ceph/backend.ts';
import { type CephCluster, cephAvailable, startCeph } from '../test/support/ceph.ts';
import { row } from './support/report.ts';

const MIB = 1_048_576n;
const ours = 400;
const theirs = 40;
const atOnce = 8;
const callTimeoutMs = 60_000;

/** Making and reading RBD images: our child process with librbd against one `rbd` command an image, both eight at a time. */
export async function benchCeph(): Promise<void> {
  const missing = cephAvailable();
  if (missing !== null) return row('librbd', `left out: ${missing}`);
  const cluster = await startCeph();
  const backend = createCephBackend({ name: 'ceph', pool: cluster.pool, conf: cluster.conf });
  const newId = createIdSource();
  const context = () => ({ fence: 1, signal: AbortSignal.timeout(callTimeoutMs) });
  try {
    const images = Array.from({ length: ours }, () => newId('vol'));
    const create = (image: string) =>
      backend.create(context(), { image, volumeId: image, name: image, sizeBytes: 64n * MIB });
    const [first, ...rest] = images;
    await create(first!);
    const creates = await perSecond(rest, create);
    const inspects = await perSecond(images, (image) => backend.inspect(context(), image));
    const names = Array.from({ length: theirs }, (_none, at) => `bare-${at}`);
    const bareCreates = await perSecond(names, (name) => rbd(cluster, 'create', '--size', '64M', spec(cluster, name)));
    const bareReads = await perSecond(names, (name) => rbd(cluster, 'status', spec(cluster, name)));
    row('RBD images made', ratio(creates, bareCreates));
    row('RBD images read (size, tags, watchers)', ratio(inspects, bareReads));
  } finally {
    await backend.close();
    await cluster.stop();
  }
}

function rbd(cluster: CephCluster, ...args: readonly string[]): Promise<unknown> {
  return cluster.run('rbd', ...args);
}

function spec({ pool }: CephCluster, image: string): string {
  return `${pool}/${image}`;
}

function ratio(one: number, other: number): string {
  return `${Math.round(one)}/s, ${(one / other).toFixed(1)}× the rbd command (${Math.round(other)}/s)`;
}

async function perSecond<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return (items.length / (performance.now() - beganAt)) * 1_000;
}

if (import.meta.main) await benchCeph();
