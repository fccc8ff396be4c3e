import { statfs } from 'node:fs/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { StatsRequest, VolumeCondition, VolumeUsage } from '../messages.ts';
import type { Link } from './connector.ts';
import { type NodeContext, connectorOf, requireDevice, requireField, requireStagedAt } from './context.ts';
import { deviceBytes } from './filesystems.ts';
import { mountAt } from './mounts.ts';
import type { StageRecord } from './stage-records.ts';

const statfsTimeoutMs = 10_000;

interface Stats {
  readonly usage: readonly VolumeUsage[];
  readonly volume_condition: VolumeCondition;
}

/** NodeGetVolumeStats. A volume whose device went away, or whose filesystem the kernel made read-only, says so. */
export async function volumeStats(node: NodeContext, request: StatsRequest): Promise<Stats> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const path = requireField(request.volume_path, 'volume path');
  const record = await requireStagedAt(node, volumeId, path);
  const link = await connectorOf(node, record.context).link(record);
  // Asking a filesystem whose device does not answer may take for ever.
  if (link !== 'live') return { usage: [], volume_condition: { abnormal: true, message: broken[link] } };
  if (record.access.kind === 'block') {
    const total = String(await deviceBytes(node.system, await requireDevice(node, record)));
    const usage: VolumeUsage = { unit: 'BYTES', total, used: '0', available: '0' };
    return { usage: [usage], volume_condition: well };
  }
  return { usage: await filesystemUsage(path), volume_condition: await conditionOf(node, record, path) };
}

const broken: Readonly<Record<Exclude<Link, 'live'>, string>> = {
  waiting: 'The connection of the volume broke; the kernel is connecting again.',
  lost: 'The connection of the volume was lost. Whoever uses the volume here must end; then it is connected anew.',
};

const well: VolumeCondition = { abnormal: false, message: 'The volume is in use.' };

async function conditionOf(node: NodeContext, { access }: StageRecord, path: string): Promise<VolumeCondition> {
  const mount = await mountAt(await node.system.mounts(), path);
  if (mount === null) return { abnormal: true, message: `Nothing is mounted at ${path}.` };
  const isReadOnly = mount.superOptions.includes('ro');
  if (!isReadOnly || access.isReadOnly) return well;
  return { abnormal: true, message: 'The kernel made the filesystem read-only, which it does after errors.' };
}

async function filesystemUsage(path: string): Promise<VolumeUsage[]> {
  let timer: NodeJS.Timeout | undefined;
  // A filesystem whose device does not answer would hold the call for ever.
  const late = new Promise<never>((_resolve, reject) => {
    const error = new HoldfastError('unavailable', `The filesystem at ${path} does not answer.`);
    timer = setTimeout(() => reject(error), statfsTimeoutMs);
  });
  const facts = await Promise.race([statfs(path, { bigint: true }), late]).finally(() => clearTimeout(timer));
  const { bsize, blocks, bfree, bavail, files, ffree } = facts;
  const bytes = [blocks * bsize, (blocks - bfree) * bsize, bavail * bsize] as const;
  return [usageOf('BYTES', ...bytes), usageOf('INODES', files, files - ffree, ffree)];
}

function usageOf(unit: VolumeUsage['unit'], total: bigint, used: bigint, available: bigint): VolumeUsage {
  return { unit, total: String(total), used: String(used), available: String(available) };
}
