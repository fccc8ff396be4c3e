import { call, transaction } from '../../kernel/store/transaction.ts';
import { type JudgedVersion, lockJudged } from './judged-version.ts';
import { removeObject } from './remove-object.ts';

export interface ExpireVersion {
  readonly judged: JudgedVersion;
  /** The version of the bucket whose rules judged it. */
  readonly bucketVersion: number;
  readonly action: 'expire' | 'remove';
  readonly ruleId: string;
  /** The id of the delete marker, should one be made. */
  readonly markerId: string;
  readonly nowMs: number;
}

/**
 * Removes a version that a lifecycle rule has judged, as a client would, while it is still what was judged. Gives whether it
 * did. Throws `AccessDenied` for a locked version.
 */
export const expireVersion = transaction(
  import.meta.url,
  'expireVersion',
  async (tx, request: ExpireVersion): Promise<boolean> => {
    const { judged, bucketVersion, action, ruleId, markerId, nowMs } = request;
    const { bucket, key, versionId } = judged;
    if ((await lockJudged(tx, judged, bucketVersion)) === null) return false;
    await tx.call(
      call(removeObject, {
        bucket,
        key,
        ...(action === 'remove' ? { versionId } : {}),
        markerId,
        conditions: {},
        bypassGovernance: false,
        actor: 'lifecycle',
        nowMs,
        cause: 'lifecycle',
        detail: { rule: ruleId },
      }),
    );
    return true;
  },
);
