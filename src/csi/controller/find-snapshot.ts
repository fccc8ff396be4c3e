import type { Call } from '../call.ts';
import type { SnapshotFilter, SnapshotRecord } from '../holdfast.ts';
import type { ControllerContext } from './context.ts';

/** The one snapshot that a filter means; `null` for none. */
export async function findSnapshot(
  { holdfast }: ControllerContext,
  filter: SnapshotFilter,
  call: Call,
): Promise<SnapshotRecord | null> {
  const { items } = await holdfast.listSnapshots(filter, { cursor: null, limit: 1 }, call);
  return items[0] ?? null;
}
