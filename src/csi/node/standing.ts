/** What stands of a record: a record outlives the machine's start, connections and mounts do not. */
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { CsiRefusal } from '../status.ts';
import { type NodeContext, connectorOf } from './context.ts';
import { deviceNumber } from './filesystems.ts';
import { unmountAll } from './mounting.ts';
import { type Mount, mountAt } from './mounts.ts';
import type { StageRecord } from './stage-records.ts';

type Target = StageRecord['targets'][number];

/**
 * The targets of a record at which something is mounted; the others are from before a restart of the machine, or never came
 * to be.
 */
export async function mountedTargets({ system }: NodeContext, record: StageRecord): Promise<Target[]> {
  const mounts = await system.mounts();
  const found = await Promise.all(record.targets.map((target) => mountAt(mounts, target.path)));
  return record.targets.filter((_, index) => found[index] !== null);
}

/** Whether anything of a stage is still there that its paths and capability are true of. */
export async function isStanding(node: NodeContext, record: StageRecord): Promise<boolean> {
  if ((await mountedTargets(node, record)).length > 0) return true;
  if (record.access.kind === 'mount') {
    return (await mountAt(await node.system.mounts(), record.stagingPath)) !== null;
  }
  return (await connectorOf(node, record.context).link(record)) !== 'lost';
}

/** Whether a mount shows this device: its filesystem, or for a bound device node, the node itself. */
export async function isShowing(mount: Mount, device: string, kind: StageRecord['access']['kind']): Promise<boolean> {
  const number = await deviceNumber(device);
  if (kind === 'mount') return mount.device === number;
  return (await deviceNumber(mount.target).catch(() => null)) === number;
}

/**
 * Refuses while the kernel connects again by itself, and clears away what a lost connection left behind.
 *
 * @throws HoldfastError `unavailable` while it connects again.
 * @throws CsiRefusal `FAILED_PRECONDITION` when it was lost from beneath a workload.
 */
export async function clearIfLost(node: NodeContext, record: StageRecord): Promise<void> {
  const link = await connectorOf(node, record.context).link(record);
  if (link === 'waiting') {
    const message = `The connection of volume ${record.volumeId} at this node broke; its kernel is connecting again.`;
    throw new HoldfastError('unavailable', message, { volume_id: record.volumeId });
  }
  if (link === 'lost') await clear(node, record);
}

/** Ends the connection of an attachment that is over. */
export async function leave(node: NodeContext, before: StageRecord): Promise<void> {
  const isMounted = (await mountAt(await node.system.mounts(), before.stagingPath)) !== null;
  if (isMounted && (await connectorOf(node, before.context).link(before)) !== 'lost') {
    const message = `Volume ${before.volumeId} is still mounted over an earlier connection; it must be unstaged first.`;
    throw new CsiRefusal('FAILED_PRECONDITION', message);
  }
  await clear(node, before);
}

async function clear(node: NodeContext, record: StageRecord): Promise<void> {
  const [used] = await mountedTargets(node, record);
  if (used !== undefined) {
    const message = `Volume ${record.volumeId} is published at ${used.path} over a connection that is over; whoever uses it there must end first.`;
    throw new CsiRefusal('FAILED_PRECONDITION', message);
  }
  if (record.access.kind === 'mount') await unmountAll(node.system, record.stagingPath);
  await connectorOf(node, record.context).disconnect(record);
}
