import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Call } from '../call.ts';
import { type ControllerContext, requireField } from './context.ts';
import { findSnapshot } from './find-snapshot.ts';

/** DeleteSnapshot. One that is gone is success. */
export async function deleteSnapshot(
  context: ControllerContext,
  { snapshot_id: id }: { readonly snapshot_id: string },
  call: Call,
): Promise<object> {
  const snapshot = await findSnapshot(context, { id: requireField(id, 'snapshot id') }, call);
  if (snapshot === null) return {};
  try {
    await context.holdfast.deleteSnapshot(snapshot.volumeId, snapshot.id, call);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind !== 'not_found') throw error;
  }
  return {};
}
