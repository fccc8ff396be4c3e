import type { ByteClient } from '../../client-bytes.ts';
import type { ReplyOf } from '../../kernel/http/contract.ts';
import type { objectContract } from '../../objects/api/contract.ts';
import { type ObjectAddress, objectPath } from './address.ts';
import { objectsBelow } from './listing.ts';
import { forEachParallel } from './pool.ts';
import { retried } from './retry.ts';
import type { Tally } from './tally.ts';

export type RemovedReply = ReplyOf<typeof objectContract.deleteObject>;

/** Removes one object, or one version of it. What is not there is removed already. */
export function removeObject(
  client: ByteClient,
  address: ObjectAddress,
  signal: AbortSignal,
  versionId?: string,
): Promise<RemovedReply> {
  const query = versionId === undefined ? '' : `?version_id=${encodeURIComponent(versionId)}`;
  const path = objectPath(address) + query;
  return retried(signal, () => client.json<RemovedReply>({ method: 'DELETE', path, signal }));
}

/** Removes all objects below a key. Failures are noted in the tally, and the rest goes on. */
export async function removeBelow(
  client: ByteClient,
  { bucket, key }: ObjectAddress,
  options: { readonly parallel: number; readonly signal: AbortSignal; readonly tally: Tally },
): Promise<void> {
  const { parallel, signal, tally } = options;
  await forEachParallel(objectsBelow(client, bucket, key, signal), parallel, async (object) => {
    signal.throwIfAborted();
    try {
      await removeObject(client, { bucket, key: object.key }, signal);
      tally.done(0);
    } catch (error) {
      tally.fail(object.key, error);
    }
  });
}
