import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { Conditions } from '../conditions.ts';
import type { ObjectVersion } from '../object.ts';
import { oweMoving, owedAlready } from './owed.ts';
import { type NewVersion, lockKey, placeVersion } from './place-version.ts';

export interface ShareContent {
  readonly source: { readonly bucket: string; readonly key: string; readonly versionId: string };
  readonly version: NewVersion & { readonly contentId: string };
  readonly copiesWanted: number;
  /** Whether the version is in another storage class than its source. */
  readonly isMoving: boolean;
  readonly conditions: Conditions;
}

const oweWhereFew = `insert into shortfalls (content_id, part, bucket, due_at, attempts, claimed_until, created_at)
  select content_id, part, ?, ?, 0, 0, ? from copies where content_id = ? group by content_id, part having count(*) < ? ${owedAlready}`;

/**
 * Makes a version that shares the content of another: a copy whose bytes do not move. Gives `null` when the source is not
 * what it was when it was read.
 */
export const shareContent = transaction(
  import.meta.url,
  'shareContent',
  async (tx, { source, version, copiesWanted, isMoving, conditions }: ShareContent): Promise<ObjectVersion | null> => {
    const { contentId, bucket, nowMs } = version;
    // Two keys are locked in the order of their names, whichever is the source.
    for (const key of [`${source.bucket}/${source.key}`, `${bucket}/${version.key}`].sort()) {
      const slash = key.indexOf('/');
      await lockKey(tx, key.slice(0, slash), key.slice(slash + 1));
    }
    await lockContents(tx, version);
    const [standing] = await tx.rows(
      'select 1 from objects where bucket = ? and object_key = ? and version_id = ? and content_id = ?',
      [source.bucket, source.key, source.versionId, contentId],
    );
    if (standing === undefined) return null;
    const placed = await placeVersion(tx, version, conditions);
    await tx.run(oweWhereFew, [bucket, nowMs, nowMs, contentId, copiesWanted]);
    // The bytes stay where they are until there are copies where the new class wants them.
    if (isMoving) await oweMoving(tx, contentId, bucket, nowMs);
    return placed;
  },
);

/** Excludes other changes of the content and of the one that will be displaced, in one order for everybody. */
async function lockContents(tx: Tx, { bucket, key, contentId }: ShareContent['version']): Promise<void> {
  const [displaced] = await tx.rows<{ content_id: string | null }>(
    `select content_id from objects where bucket = ? and object_key = ? and version_id = 'null'`,
    [bucket, key],
  );
  for (const id of [contentId, displaced?.content_id ?? contentId].sort()) await tx.lock(`content:${id}`);
}
