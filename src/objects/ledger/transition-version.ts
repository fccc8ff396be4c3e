import { transaction } from '../../kernel/store/transaction.ts';
import { toVersion } from '../rows.ts';
import { noteObject } from './events.ts';
import { type JudgedVersion, lockJudged } from './judged-version.ts';
import { oweMoving } from './owed.ts';

export interface TransitionVersion {
  readonly judged: JudgedVersion & { readonly storageClass: string };
  /** The version of the bucket whose rules judged it. */
  readonly bucketVersion: number;
  /** The class that it goes to. */
  readonly to: string;
  readonly ruleId: string;
  readonly nowMs: number;
}

const change = 'update objects set storage_class = ? where bucket = ? and object_key = ? and version_id = ?';

/**
 * Puts a version that a lifecycle rule has judged into another storage class, while it is still what was judged. Its bytes
 * stay where they stand until the replicator has made copies where they belong now. Gives whether it did.
 */
export const transitionVersion = transaction(
  import.meta.url,
  'transitionVersion',
  async (tx, request: TransitionVersion): Promise<boolean> => {
    const { judged, bucketVersion, to, ruleId, nowMs } = request;
    const { bucket, key, versionId, storageClass: from } = judged;
    const row = await lockJudged(tx, judged, bucketVersion);
    if (row === null || row.content_id === null || row.storage_class !== from) return false;
    const [known] = await tx.rows('select 1 from storage_classes where name = ?', [to]);
    if (known === undefined) return false;
    await tx.lock(`content:${row.content_id}`);
    await tx.run(change, [to, bucket, key, versionId]);
    await oweMoving(tx, row.content_id, bucket, nowMs);
    await noteObject(tx, {
      type: 'object.transitioned',
      version: toVersion({ ...row, storage_class: to }),
      actor: 'lifecycle',
      nowMs,
      detail: { cause: 'lifecycle', rule: ruleId, storage_class: to, from_storage_class: from },
    });
    return true;
  },
);
