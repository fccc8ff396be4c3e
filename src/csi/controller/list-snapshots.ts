import type { Call } from '../call.ts';
import type { SnapshotFilter } from '../holdfast.ts';
import type { Listed, ListSnapshotsRequest, Snapshot } from '../messages.ts';
import { isCloneSnapshot } from '../names.ts';
import type { ControllerContext } from './context.ts';
import { readPages } from './pages.ts';
import { snapshotView } from './views.ts';

/** ListSnapshots. Those that stand between a volume and its clone are left out. */
export async function listSnapshots(
  { holdfast }: ControllerContext,
  request: ListSnapshotsRequest,
  call: Call,
): Promise<Listed<{ snapshot: Snapshot }>> {
  const filter: SnapshotFilter = {
    ...(request.snapshot_id === '' ? {} : { id: request.snapshot_id }),
    ...(request.source_volume_id === '' ? {} : { volumeId: request.source_volume_id }),
  };
  const { items, nextToken } = await readPages(request, (page) => holdfast.listSnapshots(filter, page, call));
  const shown = items.filter(({ name }) => !isCloneSnapshot(name));
  return { entries: shown.map((snapshot) => ({ snapshot: snapshotView(snapshot) })), next_token: nextToken };
}
