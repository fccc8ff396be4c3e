import type { Call } from '../call.ts';
import type { Holdfast, VolumeRecord } from '../holdfast.ts';
import { CsiRefusal } from '../status.ts';

export interface ControllerContext {
  readonly holdfast: Holdfast;
  /**
   * Whether a node can have volumes. The controller of a cluster knows no list of nodes, the orchestrator does; one that
   * serves its own node only knows that one.
   */
  readonly isNodeKnown: (nodeId: string) => boolean;
}

/** @throws CsiRefusal `INVALID_ARGUMENT` when a required field is empty. */
export function requireField(value: string, field: string): string {
  if (value !== '') return value;
  throw new CsiRefusal('INVALID_ARGUMENT', `The ${field} is missing.`);
}

/** @throws CsiRefusal `INVALID_ARGUMENT` without an id, `NOT_FOUND` without a volume. */
export async function requireVolume({ holdfast }: ControllerContext, id: string, call: Call): Promise<VolumeRecord> {
  const volume = await holdfast.findVolume(requireField(id, 'volume id'), call);
  if (volume === null) throw new CsiRefusal('NOT_FOUND', `There is no volume ${id.slice(0, 200)}.`);
  return volume;
}
