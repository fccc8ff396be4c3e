import { transaction } from '../../kernel/store/transaction.ts';
import { objectError } from '../errors.ts';
import type { ObjectLock, ObjectVersion, Tags } from '../object.ts';
import { lockColumn, tagsColumn, toVersion } from '../rows.ts';
import { noteObject } from './events.ts';
import { findVersionRow, requireBucketRow } from './find.ts';
import { lockKey } from './place-version.ts';

export interface ChangeObject {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly tags?: Tags;
  /** The lock as it was read, and as it is to be: refused when somebody changed it in between. */
  readonly lock?: { readonly from: ObjectLock | null; readonly to: ObjectLock };
  readonly actor: string;
  readonly nowMs: number;
}

/** Changes tags or the lock of a version. Content, ETag and times stay. */
export const changeObject = transaction(
  import.meta.url,
  'changeObject',
  async (tx, change: ChangeObject): Promise<ObjectVersion> => {
    const { bucket, key, versionId, tags, lock, actor, nowMs } = change;
    await lockKey(tx, bucket, key);
    await requireBucketRow(tx, bucket);
    const row = await findVersionRow(tx, bucket, key, versionId);
    if (row === null) throw objectError(versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion', { key });
    if (row.is_marker === 1) throw objectError('MethodNotAllowed', {}, 'A delete marker has no tags and no lock.');
    if (lock !== undefined && row.lock_state !== lockColumn(lock.from)) throw objectError('OperationAborted');
    const changed = {
      ...row,
      tags: tags === undefined ? row.tags : tagsColumn(tags),
      lock_state: lock === undefined ? row.lock_state : lockColumn(lock.to),
    };
    await tx.run('update objects set tags = ?, lock_state = ? where bucket = ? and object_key = ? and version_id = ?', [
      changed.tags,
      changed.lock_state,
      bucket,
      key,
      row.version_id,
    ]);
    const version = toVersion(changed);
    const type = tags === undefined ? 'object.lock_changed' : 'object.tagged';
    // An empty set is none.
    const detail = tags === undefined ? {} : { cause: Object.keys(tags).length === 0 ? 'delete' : 'put' };
    await noteObject(tx, { type, version, actor, nowMs, detail });
    return version;
  },
);
