import type { Reader, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { type Charge, chargeQuota, refundOf } from '../quotas/charge.ts';
import { toVersion } from '../rows.ts';
import type { CleanupRow, CopyRow, ObjectRow } from '../tables.ts';
import { noteShortfall } from './copies.ts';
import { releaseContent } from './dispose.ts';
import { noteObject } from './events.ts';
import { lockKey } from './place-version.ts';
import { promoteNewest } from './remove-object.ts';
import { type ByteDelta, bookBytes } from './stripes.ts';

export interface ForgetCopies {
  readonly backend: string;
  readonly limit: number;
  readonly actor: string;
  readonly nowMs: number;
}

export interface Forgotten {
  readonly copies: number;
  /** Versions whose last copy it was. */
  readonly lost: number;
}

/** Whether a copy is the last of its part, as far as backends count that are not being purged. */
export function isLastCopy(copies: string): string {
  return `not exists (select 1 from copies l join object_backends lb on lb.name = l.backend
    where l.content_id = ${copies}.content_id and l.part = ${copies}.part and l.backend <> ${copies}.backend
      and lb.state <> 'purging')`;
}

const page = 'select * from copies where backend = ? order by storage_key limit ?';
/** The copies on a lost backend that are forgotten next, and which of them are the last of their parts. */
export async function forgettableCopies(
  reader: Pick<Reader, 'rows'>,
  backend: string,
  limit: number,
): Promise<(CopyRow & { readonly isLast: boolean })[]> {
  const flagged = `select c.*, case when ${isLastCopy('c')} then 1 else 0 end as is_last from (${page}) c order by c.storage_key`;
  const rows = await reader.rows<CopyRow & { readonly is_last: number }>(flagged, [backend, limit]);
  return rows.map(({ is_last: last, ...row }) => ({ ...row, isLast: last === 1 }));
}

const referring = 'select * from objects where content_id = ? order by bucket, object_key, version_id';
const remove = 'delete from copies where content_id = ? and part = ? and backend = ? returning *';
const sibling = 'select 1 from copies where content_id = ? and part = ? limit 1';

/**
 * Takes the next copies on a lost backend off the ledger and off the books. Where others remain, new ones are asked for.
 * Where it was the last one the object is lost: its versions go, each with an event that says so, since a version without
 * bytes would be a promise that nobody can keep.
 */
export const forgetCopies = transaction(
  import.meta.url,
  'forgetCopies',
  async (tx, { backend, limit, actor, nowMs }: ForgetCopies): Promise<Forgotten> => {
    const copies = await tx.rows<CopyRow>(page, [backend, limit]);
    const contents = [...new Set(copies.map((copy) => copy.content_id))].sort();
    const locked = await lockKeysOf(tx, contents);
    for (const contentId of contents) await tx.lock(`content:${contentId}`);
    const deltas: ByteDelta[] = [];
    let lost = 0;
    for (const { content_id: contentId, part } of copies.toSorted(compareCopies)) {
      const versions = await tx.rows<ObjectRow>(referring, [contentId]);
      // A key that came to share the content since is not locked; the next batch does it.
      if (!versions.every((row) => locked.has(keyOf(row)))) continue;
      const [row] = await tx.rows<CopyRow>(remove, [contentId, part, backend]);
      if (row === undefined) continue;
      deltas.push({ backend, storageKey: row.storage_key, bytes: -row.stored_bytes });
      const [other] = await tx.rows(sibling, [contentId, part]);
      if (other !== undefined) await noteShortfall(tx, { contentId, part }, '', nowMs);
      else lost += await loseContent(tx, versions, row, { actor, nowMs });
    }
    await bookBytes(tx, deltas);
    return { copies: deltas.length, lost };
  },
);

/** Locks the keys of all versions that refer to contents, in the order of their names. */
async function lockKeysOf(tx: Tx, contents: readonly string[]): Promise<ReadonlySet<string>> {
  const keys = new Map<string, ObjectRow>();
  for (const contentId of contents) {
    for (const row of await tx.rows<ObjectRow>(referring, [contentId])) keys.set(keyOf(row), row);
  }
  for (const key of [...keys.keys()].sort()) {
    const { bucket, object_key: objectKey } = keys.get(key)!;
    await lockKey(tx, bucket, objectKey);
  }
  return new Set(keys.keys());
}

/** What goes with a part of an open upload. */
const ofOpenUpload = `select u.bucket, u.object_key as key, u.owner, -p.size_bytes as bytes, 0 as objects from object_parts p
  join uploads u on u.upload_id = p.content_id and u.state = 'open' where p.content_id = ? and p.part = ?`;

async function loseContent(
  tx: Tx,
  versions: readonly ObjectRow[],
  { content_id: contentId, part, backend }: CopyRow,
  { actor, nowMs }: { readonly actor: string; readonly nowMs: number },
): Promise<number> {
  for (const row of versions) {
    const { bucket, object_key: key, version_id: versionId } = row;
    const statement = 'delete from objects where bucket = ? and object_key = ? and version_id = ?';
    await tx.run(statement, [bucket, key, versionId]);
    if (row.is_latest === 1) await promoteNewest(tx, bucket, key);
    const note = { type: 'object.lost', version: toVersion(row), actor, nowMs, detail: { backend, part } };
    await noteObject(tx, note);
  }
  // Other parts may stand elsewhere.
  if (versions.length > 0) await releaseContent(tx, contentId, 'deleted', nowMs);
  // Of an open upload: its client is told that the part is not there when it completes.
  const open = await tx.rows<Charge>(ofOpenUpload, [contentId, part]);
  await tx.run('delete from object_parts where content_id = ? and part = ?', [contentId, part]);
  await tx.run('delete from shortfalls where content_id = ? and part = ?', [contentId, part]);
  await chargeQuota(tx, [...versions.map(refundOf), ...open]);
  return versions.length;
}

const deletions = `delete from cleanup where id in (select id from cleanup where backend = ? order by id limit ?) returning *`;

/** Forgets what waits for deletion on a lost backend. Gives how many there were. */
export const forgetDeletions = transaction(
  import.meta.url,
  'forgetDeletions',
  async (tx, { backend, limit }: { readonly backend: string; readonly limit: number }): Promise<number> => {
    const rows = await tx.rows<CleanupRow>(deletions, [backend, limit]);
    const deltas = rows.map((row) => ({ backend, storageKey: row.storage_key, bytes: -row.stored_bytes }));
    await bookBytes(tx, deltas);
    return rows.length;
  },
);

function keyOf(row: Pick<ObjectRow, 'bucket' | 'object_key'>): string {
  return `${row.bucket}/${row.object_key}`;
}

function compareCopies(a: CopyRow, b: CopyRow): number {
  if (a.content_id !== b.content_id) return a.content_id < b.content_id ? -1 : 1;
  return a.part - b.part;
}
