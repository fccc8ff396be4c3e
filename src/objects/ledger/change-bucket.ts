import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { type Bucket, type BucketSettings, defaultBucketSettings } from '../bucket.ts';
import { objectError } from '../errors.ts';
import { dropBook } from '../quotas/change-quota.ts';
import { bucketSubject } from '../quotas/quota.ts';
import { toBucket } from '../rows.ts';
import type { BucketRow } from '../tables.ts';
import { keepingReferences } from './references.ts';

/** How many buckets there may be. */
const bucketsMax = 10_000;

interface Cause {
  readonly actor: string;
  readonly nowMs: number;
}

export interface CreateBucket extends Cause {
  readonly name: string;
  readonly settings: Partial<BucketSettings>;
}

/** Enters a bucket. Throws `BucketAlreadyOwnedByYou` or `BucketAlreadyExists`. */
export const createBucket = transaction(
  import.meta.url,
  'createBucket',
  async (tx, { name, settings, actor, nowMs }: CreateBucket): Promise<Bucket> => {
    await lockBucket(tx, name);
    const known = await findBucketRow(tx, name);
    if (known !== null) {
      throw objectError(known.owner === actor ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', { bucket: name });
    }
    const [count] = await tx.rows<{ count: number | string }>('select count(*) as count from buckets', []);
    if (Number(count!.count) >= bucketsMax) throw objectError('TooManyBuckets', { maximum: bucketsMax });
    const text = JSON.stringify({ ...defaultBucketSettings, ...settings });
    await tx.run('insert into buckets (name, owner, settings, version, created_at) values (?, ?, ?, 1, ?)', [
      name,
      actor,
      text,
      nowMs,
    ]);
    await note(tx, name, 'bucket.created', { actor, nowMs }, {});
    return toBucket({ name, owner: actor, settings: text, version: 1, created_at: nowMs });
  },
);

export interface UpdateBucket extends Cause {
  readonly name: string;
  readonly settings: BucketSettings;
  /** The names of settings that are others now, for the event. */
  readonly changed: readonly string[];
  /** The version that was read. */
  readonly version: number;
}

/** Sets a bucket's settings if nobody changed them since; `null` when somebody did. Throws `NoSuchBucket`. */
export const updateBucket = transaction(
  import.meta.url,
  'updateBucket',
  async (tx, { name, settings, changed, version, actor, nowMs }: UpdateBucket): Promise<Bucket | null> => {
    const text = JSON.stringify(settings);
    const statement =
      'update buckets set settings = ?, version = version + 1 where name = ? and version = ? returning *';
    const [row] = await tx.rows<BucketRow>(statement, [text, name, version]);
    if (row === undefined) {
      if ((await findBucketRow(tx, name)) === null) throw objectError('NoSuchBucket', { bucket: name });
      return null;
    }
    await note(tx, name, 'bucket.changed', { actor, nowMs }, { version: row.version, changed });
    return toBucket(row);
  },
);

/** Removes an empty bucket. Throws `NoSuchBucket`, and `BucketNotEmpty` while it has a version or an open upload. */
export const deleteBucket = transaction(
  import.meta.url,
  'deleteBucket',
  async (tx, { name, actor, nowMs }: { readonly name: string } & Cause): Promise<void> => {
    await lockBucket(tx, name);
    const statement = `select * from buckets where name = ? ${tx.fragments.forUpdate}`;
    const [row] = await tx.rows<BucketRow>(statement, [name]);
    if (row === undefined) throw objectError('NoSuchBucket', { bucket: name });
    const [object] = await tx.rows('select 1 from objects where bucket = ? limit 1', [name]);
    const [upload] = await tx.rows(`select 1 from uploads where bucket = ? and state = 'open' limit 1`, [name]);
    if (object !== undefined || upload !== undefined) throw objectError('BucketNotEmpty', { bucket: name });
    await tx.run('delete from uploads where bucket = ?', [name]);
    const notEmpty = () => objectError('BucketNotEmpty', { bucket: name });
    await keepingReferences(tx.run('delete from buckets where name = ?', [name]), notEmpty);
    await dropBook(tx, bucketSubject(name));
    await note(tx, name, 'bucket.deleted', { actor, nowMs }, {});
  },
);

function lockBucket(tx: Tx, name: string): Promise<void> {
  return tx.lock(`bucket:${name}`);
}

async function findBucketRow(tx: Tx, name: string): Promise<BucketRow | null> {
  const [row] = await tx.rows<BucketRow>('select * from buckets where name = ?', [name]);
  return row ?? null;
}

async function note(tx: Tx, name: string, type: string, cause: Cause, data: Record<string, unknown>): Promise<void> {
  const event = { type, data: { bucket: name, ...data }, operationId: null, actor: cause.actor };
  await appendEvent(tx, { resource: `bucket:${name}`, ...event, createdAtMs: cause.nowMs });
}
