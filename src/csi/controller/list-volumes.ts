import type { Call } from '../call.ts';
import type { ListRequest, Listed, Volume, VolumeRequest, VolumeStatus } from '../messages.ts';
import { type ControllerContext, requireVolume } from './context.ts';
import { readPages } from './pages.ts';
import { statusView, volumeView } from './views.ts';

interface VolumeEntry {
  readonly volume: Volume;
  readonly status: VolumeStatus;
}

/** ListVolumes: every volume of the server, also those that were not made by the driver. */
export async function listVolumes(
  { holdfast }: ControllerContext,
  request: ListRequest,
  call: Call,
): Promise<Listed<VolumeEntry>> {
  const { items, nextToken } = await readPages(request, (page) => holdfast.listVolumes(page, call));
  const entries = items.map((volume) => ({ volume: volumeView(volume), status: statusView(volume) }));
  return { entries, next_token: nextToken };
}

/** ControllerGetVolume. */
export async function getVolume(
  context: ControllerContext,
  { volume_id: id }: VolumeRequest,
  call: Call,
): Promise<VolumeEntry> {
  const volume = await requireVolume(context, id, call);
  return { volume: volumeView(volume), status: statusView(volume) };
}
