import { call, transaction } from '../../kernel/store/transaction.ts';
import type { Tx } from '../../kernel/store/store.ts';
import type { Candidate } from '../lifecycle/due.ts';
import { newerCountMax } from '../lifecycle/judge.ts';
import type { ObjectRow } from '../tables.ts';
import { findVersionRow } from './find.ts';
import { lockKey } from './place-version.ts';
import { removeObject } from './remove-object.ts';

export interface ExpireVersion {
  /** The version and its neighbours as they were judged. */
  readonly judged: Pick<
    Candidate,
    'bucket' | 'key' | 'versionId' | 'seq' | 'contentId' | 'isLatest' | 'tagsText' | 'newerNoncurrent' | 'isOnly'
  >;
  /** The version of the bucket whose rules judged it. */
  readonly bucketVersion: number;
  readonly action: 'expire' | 'remove';
  readonly ruleId: string;
  /** The id of the delete marker, should one be made. */
  readonly markerId: string;
  readonly nowMs: number;
}

const newer = `select 1 from objects where bucket = ? and object_key = ? and seq > ? and is_latest = 0 limit ${newerCountMax}`;
const others = 'select 1 from objects where bucket = ? and object_key = ? and seq <> ? limit 1';

/**
 * Removes a version that a lifecycle rule has judged, as a client would, when it and what counted of its neighbours are
 * still what was judged, and the rules still those of its bucket. Gives whether it did. Throws `AccessDenied` for a locked
 * version.
 */
export const expireVersion = transaction(
  import.meta.url,
  'expireVersion',
  async (tx, request: ExpireVersion): Promise<boolean> => {
    const { judged, bucketVersion, action, ruleId, markerId, nowMs } = request;
    const { bucket, key, versionId } = judged;
    await lockKey(tx, bucket, key);
    const [standing] = await tx.rows<{ version: number }>('select version from buckets where name = ?', [bucket]);
    if (standing?.version !== bucketVersion) return false;
    const row = await findVersionRow(tx, bucket, key, versionId);
    if (row === null || !isSame(row, judged) || !(await areNeighboursSame(tx, judged))) return false;
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

function isSame(row: ObjectRow, { seq, contentId, isLatest, tagsText }: ExpireVersion['judged']): boolean {
  const isLatestNow = row.is_latest === 1;
  return row.seq === seq && row.content_id === contentId && isLatestNow === isLatest && row.tags === tagsText;
}

/** As many newer versions are kept as when it was judged, and a lonely marker is still alone. */
async function areNeighboursSame(tx: Tx, judged: ExpireVersion['judged']): Promise<boolean> {
  const place = [judged.bucket, judged.key, judged.seq];
  if (judged.newerNoncurrent > 0 && (await tx.rows(newer, place)).length < judged.newerNoncurrent) return false;
  return !judged.isOnly || (await tx.rows(others, place)).length === 0;
}
