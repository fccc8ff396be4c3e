import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Call } from '../call.ts';
import type { SnapshotNameScope, SnapshotRecord } from '../holdfast.ts';
import { CsiRefusal } from '../status.ts';
import type { ControllerContext } from './context.ts';
import { findSnapshot } from './find-snapshot.ts';

const lookAgainMs = 100;
/** Waiting ends with the call's deadline; this only bounds the loop. */
const looksMax = 10_000;

/**
 * Makes the snapshot of that name, or finds the one that an earlier call made, and waits until it can be used. One that
 * failed is removed and made again. Throws `conflict` when the name is taken within the scope, or the volume's state forbids it.
 */
export async function makeSnapshot(
  context: ControllerContext,
  volumeId: string,
  name: string,
  scope: SnapshotNameScope,
  call: Call,
): Promise<SnapshotRecord> {
  for (let look = 0; look < looksMax; look++) {
    const found = await findSnapshot(context, { name, volumeId }, call);
    if (found?.state === 'available') return found;
    if (found?.state === 'error') await context.holdfast.deleteSnapshot(volumeId, found.id, call);
    else if (found !== null) await delay(lookAgainMs, undefined, { signal: call.signal });
    else await createUnlessThere(context, volumeId, name, scope, call);
  }
  throw new CsiRefusal('ABORTED', `Snapshot ${name} of volume ${volumeId} is not ready yet.`);
}

async function createUnlessThere(
  context: ControllerContext,
  volumeId: string,
  name: string,
  scope: SnapshotNameScope,
  call: Call,
): Promise<void> {
  try {
    await context.holdfast.createSnapshot(volumeId, name, scope, call);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind !== 'conflict') throw error;
    // Another call of the same name was faster, if it is there now.
    if ((await findSnapshot(context, { name, volumeId }, call)) === null) throw error;
  }
}
