import type { Store } from '../../kernel/store/store.ts';
import type { ObjectVersion } from '../object.ts';
import { findBucket } from '../queries/queries.ts';
import { toVersion } from '../rows.ts';
import type { ObjectRow } from '../tables.ts';
import type { RewriteAction } from './plan.ts';
import { type RewriteOptions, planFor } from './rewrite-content.ts';

const pageSize = 64;
/** More contents than this are not looked at for a plan. */
const plannedMax = 100_000;

const page = `select distinct content_id from objects where content_id > ? and is_marker = 0 order by content_id limit ?`;
const pageOfBucket = `select distinct content_id from objects where content_id > ? and is_marker = 0 and bucket = ?
  order by content_id limit ?`;
const firstOf = 'select * from objects where content_id = ? order by bucket, object_key limit 1';

/** Ids of contents in their order, of one bucket or of all, from after one of them on. */
export async function contentsAfter(
  store: Store,
  bucket: string | null,
  after: string,
  limit: number,
): Promise<string[]> {
  const rows = await store.read((reader) =>
    bucket === null
      ? reader.rows<{ content_id: string }>(page, [after, limit])
      : reader.rows<{ content_id: string }>(pageOfBucket, [after, bucket, limit]),
  );
  return rows.map(({ content_id: contentId }) => contentId);
}

/** Over what a pass goes. */
export interface Pass {
  readonly action: RewriteAction;
  /** `null`: all. */
  readonly bucket: string | null;
  /** The last content that was looked at; empty at the beginning. */
  readonly after: string;
}

/** A page of contents, by a version of each. */
export interface PassPage {
  readonly demands: readonly ObjectVersion[];
  /** Whether it is the last one. */
  readonly isLast: boolean;
}

/**
 * What a pass would write anew, page by page, from the ledger alone; whether something shrinks is not known before it is
 * read. Ends after as much as is looked at for a plan.
 */
export async function* passDemands(
  options: Pick<RewriteOptions, 'store' | 'encryption'>,
  { action, bucket, after: from }: Pass,
): AsyncGenerator<PassPage> {
  const { store } = options;
  let after = from;
  for (let seen = 0; seen < plannedMax; seen += pageSize) {
    const contents = await contentsAfter(store, bucket, after, pageSize);
    const demands: ObjectVersion[] = [];
    for (const contentId of contents) {
      const found = await store.read(async (reader) => {
        const [row] = await reader.rows<ObjectRow>(firstOf, [contentId]);
        return row === undefined ? null : { row, bucket: await findBucket(reader, row.bucket) };
      });
      if (found?.bucket == null) continue;
      const version = toVersion(found.row);
      if ((await planFor(options, action, version, found.bucket.settings)) !== null) demands.push(version);
    }
    const isLast = contents.length < pageSize;
    yield { demands, isLast };
    if (isLast) return;
    after = contents.at(-1)!;
  }
}
