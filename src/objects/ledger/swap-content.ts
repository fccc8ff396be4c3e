import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { objectError } from '../errors.ts';
import type { AppliedEncryption, ObjectAttributes } from '../object.ts';
import type { ObjectRow } from '../tables.ts';
import { type WrittenPart, enterCopies } from './copies.ts';
import { releaseContent } from './dispose.ts';
import { objectResource } from './events.ts';
import type { WriteEnd } from './intents.ts';
import { oweMoving } from './owed.ts';
import { lockKey } from './place-version.ts';
import { requireOpenUpload } from './uploads.ts';

/** A version whose content is exchanged. */
export type SharingVersion = Pick<ObjectRow, 'bucket' | 'object_key' | 'version_id'>;

export interface SwapContent {
  readonly from: string;
  readonly to: string;
  /** Every version that had the content when it was read. */
  readonly versions: readonly SharingVersion[];
  /** How the new content is encrypted. */
  readonly encryption: AppliedEncryption | null;
  /** Of a content that was written whole; `null`: its parts stand in an upload of the same id. */
  readonly whole: { readonly written: WrittenPart; readonly write: WriteEnd } | null;
  readonly copiesWanted: number;
  /** The class for which the new bytes were placed. */
  readonly storageClass: string;
  readonly nowMs: number;
}

const sharing = 'select * from objects where content_id = ?';

/**
 * Gives the same bytes in another form to every version that has them; id, ETag, times and all else stay. A version that a
 * client has written meanwhile is not touched: its content is another one. Throws `OperationAborted` when a version got the
 * content meanwhile, or none has it any more.
 */
export const swapContent = transaction(import.meta.url, 'swapContent', async (tx, swap: SwapContent): Promise<void> => {
  const { from, to, versions, whole, copiesWanted, nowMs } = swap;
  const keys = new Set(versions.map(({ bucket, object_key: key }) => `${bucket}/${key}`));
  for (const id of [...keys].sort()) {
    const slash = id.indexOf('/');
    await lockKey(tx, id.slice(0, slash), id.slice(slash + 1));
  }
  for (const id of [from, to].sort()) await tx.lock(`content:${id}`);
  const rows = await tx.rows<ObjectRow>(sharing, [from]);
  const [first] = rows;
  if (first === undefined || rows.some(({ bucket, object_key: key }) => !keys.has(`${bucket}/${key}`))) {
    throw objectError('OperationAborted', {}, 'The object was changed while it was rewritten.');
  }
  if (whole !== null) await enterCopies(tx, whole.written, whole.write, { bucket: first.bucket, copiesWanted, nowMs });
  else await endUpload(tx, to);
  for (const row of rows) await exchange(tx, row, swap);
  // One that has grown cold meanwhile wants its bytes elsewhere.
  const isElsewhere = rows.some((row) => row.storage_class !== swap.storageClass);
  if (isElsewhere) await oweMoving(tx, to, first.bucket, nowMs);
  await releaseContent(tx, from, 'rewritten', nowMs);
});

async function exchange(tx: Tx, row: ObjectRow, { from, to, encryption, nowMs }: SwapContent): Promise<void> {
  const { encryption: _, ...others } = JSON.parse(row.attributes) as ObjectAttributes;
  const attributes: ObjectAttributes = encryption === null ? others : { ...others, encryption };
  await tx.run(
    'update objects set content_id = ?, attributes = ? where bucket = ? and object_key = ? and version_id = ?',
    [to, JSON.stringify(attributes), row.bucket, row.object_key, row.version_id],
  );
  const { bucket, object_key: key, version_id } = row;
  await appendEvent(tx, {
    resource: objectResource(bucket, key),
    type: 'object.rewritten',
    data: { bucket, key, version_id, from, to },
    operationId: null,
    actor: 'holdfast',
    createdAtMs: nowMs,
  });
}

async function endUpload(tx: Tx, uploadId: string): Promise<void> {
  await requireOpenUpload(tx, uploadId);
  await tx.run('delete from uploads where upload_id = ?', [uploadId]);
}
