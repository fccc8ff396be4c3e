import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Access, requireAccess } from '../capabilities.ts';
import type { Labels, StageRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type NodeContext, connectorOf, requireField, requirePath } from './context.ts';
import { deviceNumber, filesystemOn, growFilesystem, isBlank, makeFilesystem } from './filesystems.ts';
import { mountFilesystem } from './mounting.ts';
import { mountAt } from './mounts.ts';
import type { StageRecord } from './stage-records.ts';
import { clearIfLost, isStanding, leave, mountedTargets } from './standing.ts';

/**
 * NodeStageVolume: connects the volume and, unless it is used as a block device, mounts its filesystem. A blank volume gets
 * one; a volume on which anything is found never does.
 */
export async function stageVolume(node: NodeContext, request: StageRequest): Promise<object> {
  const volumeId = requireField(request.volume_id, 'volume id');
  const stagingPath = requirePath(request.staging_target_path, 'staging target path');
  const access = requireAccess(request.volume_capability);
  const context = request.publish_context;
  return node.turns.take(volumeId, async () => {
    const before = await node.records.read(volumeId);
    // What a restart of the machine has undone binds nobody.
    if (before !== null && (await isStanding(node, before))) refuseOther(before, stagingPath, access);
    await raise(node, before, { volumeId, stagingPath, access, context });
    return {};
  });
}

/** What a stage is to be. */
export type StageWish = Pick<StageRecord, 'volumeId' | 'stagingPath' | 'access' | 'context'>;

/**
 * Makes a stage stand, from whatever there is of it: nothing, an attempt that broke off, the record of a machine that was started
 * anew, or what a lost connection left behind.
 */
export async function raise(node: NodeContext, before: StageRecord | null, wish: StageWish): Promise<StageRecord> {
  const connector = connectorOf(node, wish.context);
  const isSame = before !== null && isSameConnection(before.context, wish.context);
  if (isSame) await clearIfLost(node, before);
  else if (before !== null) await leave(node, before);
  let record: StageRecord = isSame
    ? { ...before, ...wish, targets: await mountedTargets(node, before) }
    : { ...wish, handle: {}, isFormatting: false, targets: [] };
  const note = async (changes: Partial<StageRecord>): Promise<void> => {
    record = { ...record, ...changes };
    await node.records.write(record);
  };
  await note({});
  const device = (await connector.find(record)) ?? (await connector.connect(record, (handle) => note({ handle })));
  if (wish.access.kind === 'mount') await mountStaged(node, () => record, device, note);
  return record;
}

function isSameConnection(one: Labels, other: Labels): boolean {
  // An export that came back elsewhere, after its server was started anew, has its name still.
  return one['transport'] === other['transport'] && one['name'] === other['name'];
}

function refuseOther(before: StageRecord, stagingPath: string, access: Access): void {
  if (before.stagingPath !== stagingPath) {
    throw new CsiRefusal('ALREADY_EXISTS', `Volume ${before.volumeId} is staged at ${before.stagingPath}.`);
  }
  if (!isDeepStrictEqual(before.access, JSON.parse(JSON.stringify(access)))) {
    throw new CsiRefusal('ALREADY_EXISTS', `Volume ${before.volumeId} is staged here with another capability.`);
  }
}

async function mountStaged(
  { system }: NodeContext,
  recordNow: () => StageRecord,
  device: string,
  note: (changes: Partial<StageRecord>) => Promise<void>,
): Promise<void> {
  const { stagingPath: path, volumeId, access } = recordNow();
  if (access.kind !== 'mount') return;
  const mounted = await mountAt(await system.mounts(), path);
  if (mounted !== null) {
    if (mounted.device === (await deviceNumber(device))) return;
    throw new CsiRefusal('FAILED_PRECONDITION', `Something else is mounted at ${path}.`);
  }
  const { filesystem, flags, isReadOnly } = access;
  const found = await filesystemOn(system, device);
  if (found === null) {
    if (isReadOnly)
      throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${volumeId} has no filesystem, and is read-only.`);
    if (!recordNow().isFormatting && !(await isBlank(system, device))) {
      const message = `Volume ${volumeId} has content that is no filesystem; it is left as it is. Use it as a block device, or clear it.`;
      throw new HoldfastError('conflict', message);
    }
    await note({ isFormatting: true });
    await makeFilesystem(system, device, filesystem);
    await note({ isFormatting: false });
  } else if (found !== filesystem) {
    throw new HoldfastError(
      'conflict',
      `Volume ${volumeId} has ${found} on it, not ${filesystem}; it is left as it is.`,
    );
  } else if (recordNow().isFormatting) {
    await note({ isFormatting: false });
  }
  await mountFilesystem(system, { device, path, filesystem, flags, isReadOnly });
  // A clone can be larger than what it was cloned from, and a volume can grow while it is nowhere.
  if (found !== null && !isReadOnly) await growFilesystem(system, filesystem, device, path);
}
