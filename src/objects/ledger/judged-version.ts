import type { Tx } from '../../kernel/store/store.ts';
import type { Candidate } from '../lifecycle/due.ts';
import type { Verdict } from '../lifecycle/judge.ts';
import type { ObjectRow } from '../tables.ts';
import { findVersionRow } from './find.ts';
import { lockKey } from './place-version.ts';

/** A version as a lifecycle rule has judged it, and what it counted on of its neighbours. */
export type JudgedVersion = Pick<
  Candidate,
  'bucket' | 'key' | 'versionId' | 'seq' | 'contentId' | 'isLatest' | 'tagsText' | 'isOnly'
> &
  Pick<Verdict, 'newerNeeded'>;

const newer = 'select 1 from objects where bucket = ? and object_key = ? and seq > ? and is_latest = 0 limit ?';
const others = 'select 1 from objects where bucket = ? and object_key = ? and seq <> ? limit 1';

/**
 * Locks the key of a version that was judged, and gives its row when it and what counted of its neighbours are still what
 * was judged, and the rules still those of its bucket; else `null`.
 */
export async function lockJudged(tx: Tx, judged: JudgedVersion, bucketVersion: number): Promise<ObjectRow | null> {
  const { bucket, key, versionId } = judged;
  await lockKey(tx, bucket, key);
  const [standing] = await tx.rows<{ version: number }>('select version from buckets where name = ?', [bucket]);
  if (standing?.version !== bucketVersion) return null;
  const row = await findVersionRow(tx, bucket, key, versionId);
  return row !== null && isSame(row, judged) && (await areNeighboursSame(tx, judged)) ? row : null;
}

function isSame(row: ObjectRow, { seq, contentId, isLatest, tagsText }: JudgedVersion): boolean {
  const isLatestNow = row.is_latest === 1;
  return row.seq === seq && row.content_id === contentId && isLatestNow === isLatest && row.tags === tagsText;
}

/**
 * As many newer versions stand as its rule needs, and a lonely marker is still alone. That some of the newer ones are gone
 * meanwhile is no reason to spare it: they are removed beside it.
 */
async function areNeighboursSame(tx: Tx, judged: JudgedVersion): Promise<boolean> {
  const place = [judged.bucket, judged.key, judged.seq];
  const { newerNeeded } = judged;
  if (newerNeeded > 0 && (await tx.rows(newer, [...place, newerNeeded])).length < newerNeeded) return false;
  return !judged.isOnly || (await tx.rows(others, place)).length === 0;
}
