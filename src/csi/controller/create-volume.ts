import type { Call } from '../call.ts';
import { type Bounds, boundsOf, chooseSize, isWithin } from '../capacity.ts';
import { requireCapabilities } from '../capabilities.ts';
import type { NewVolume, SnapshotRecord, VolumeRecord } from '../holdfast.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { CreateVolumeRequest, Volume } from '../messages.ts';
import { holdfastName } from '../names.ts';
import { CsiRefusal } from '../status.ts';
import { removeCloneSnapshot, snapshotForClone } from './clone-snapshot.ts';
import type { ControllerContext } from './context.ts';
import { findSnapshot } from './find-snapshot.ts';
import { parseMutableParameters, parseParameters } from './parameters.ts';
import { clonedFrom, labels, sourceLabel, volumeView } from './views.ts';

/** How often a creation that met another one looks again. */
const attemptsMax = 3;

/**
 * CreateVolume. The name is what makes it idempotent: Holdfast keeps names unique, so a call whose answer was lost finds the
 * volume of that name, waits for it when it is still being made, and compares it with what is asked for.
 */
export async function createVolume(
  context: ControllerContext,
  request: CreateVolumeRequest,
  call: Call,
): Promise<{ volume: Volume }> {
  const name = holdfastName(request.name);
  requireCapabilities(request.volume_capabilities);
  const { backend, metadata, ...fixed } = parseParameters(request.parameters);
  const qos = { ...fixed.qos, ...parseMutableParameters(request.mutable_parameters) };
  const wanted: Wanted = {
    bounds: boundsOf(request.capacity_range),
    csiName: request.name,
    source: sourceLabel(request.volume_content_source),
    backend,
  };
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const found = await settled(context, name, wanted, call);
    if (found !== null) return { volume: await accepted(context, found, wanted, call) };
    const source = await sourceOf(context, request, name, call);
    const isFilled = wanted.source !== null;
    const volume: NewVolume = {
      name,
      sizeBytes: chooseSize(wanted.bounds, source?.sizeBytes ?? null),
      backend,
      qos,
      metadata: { ...metadata, [labels.name]: request.name, ...(isFilled ? { [labels.source]: wanted.source! } : {}) },
      snapshotId: source?.id ?? null,
    };
    try {
      await context.holdfast.createVolume(volume, call);
    } catch (error) {
      // Another call of the same name was faster, or an earlier one that was thought lost: what it made is looked at.
      const isRace = error instanceof HoldfastError && error.kind === 'conflict' && attempt < attemptsMax;
      if (!isRace) throw error;
    }
  }
  throw new CsiRefusal('ABORTED', `Volume ${name} was changed by others while it was made.`);
}

interface Wanted {
  readonly bounds: Bounds;
  readonly csiName: string;
  readonly source: string | null;
  readonly backend: string | null;
}

/** The volume of that name once nothing is under way; `null` when there is none. What never came to be is cleared away. */
async function settled(
  { holdfast }: ControllerContext,
  name: string,
  wanted: Wanted,
  call: Call,
): Promise<VolumeRecord | null> {
  const found = await holdfast.findVolumeByName(name, call);
  if (found === null) return null;
  if (found.metadata[labels.name] !== wanted.csiName) {
    throw new CsiRefusal('ALREADY_EXISTS', `Volume ${name} is there already, and was not made by this driver.`);
  }
  const { lastOperation } = found;
  const isUnderWay = ['pending', 'creating', 'creating_failed', 'deleting', 'deleting_failed'].includes(found.state);
  if (isUnderWay && lastOperation !== null) {
    await holdfast.settle(lastOperation.id, call);
    return holdfast.findVolumeByName(name, call);
  }
  if (found.state === 'error' && lastOperation?.type === 'volume.create') {
    await holdfast.deleteVolume(found.id, call);
    return null;
  }
  return found;
}

async function accepted(context: ControllerContext, found: VolumeRecord, wanted: Wanted, call: Call): Promise<Volume> {
  const differs = (what: string) =>
    new CsiRefusal('ALREADY_EXISTS', `Volume ${found.id} has this name already, with another ${what}.`);
  if (!isWithin(found.sizeBytes, wanted.bounds)) throw differs(`size (${found.sizeBytes} bytes)`);
  if ((found.metadata[labels.source] ?? null) !== wanted.source) throw differs('source');
  if (wanted.backend !== null && wanted.backend !== found.backend) throw differs('backend');
  const sourceId = clonedFrom(found);
  if (sourceId !== null) await removeCloneSnapshot(context, sourceId, found.name, call);
  return volumeView(found);
}

/** The snapshot that the new volume begins with. */
async function sourceOf(
  context: ControllerContext,
  { volume_content_source: source }: CreateVolumeRequest,
  name: string,
  call: Call,
): Promise<SnapshotRecord | null> {
  if (source === null) return null;
  if (source.volume) return snapshotForClone(context, source.volume.volume_id, name, call);
  if (!source.snapshot) throw new CsiRefusal('INVALID_ARGUMENT', 'The content source names nothing.');
  const id = source.snapshot.snapshot_id;
  const snapshot = await findSnapshot(context, { id }, call);
  if (snapshot !== null) return snapshot;
  throw new CsiRefusal('NOT_FOUND', `There is no snapshot ${id.slice(0, 200)}.`);
}
