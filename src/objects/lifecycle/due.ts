import type { Reader, SqlValue } from '../../kernel/store/store.ts';
import type { ObjectLock, Tags } from '../object.ts';
import type { ObjectRow } from '../tables.ts';
import { type Judged, newerCountMax } from './judge.ts';

/** What a pass looks through; each has an index of its own. All but markers are looked through class by class. */
export type LifecycleSource = 'current' | 'noncurrent' | 'markers';

/** A version that a rule may demand something of, as it was read. */
export interface Candidate extends Judged {
  readonly bucket: string;
  readonly versionId: string;
  readonly seq: number;
  readonly contentId: string | null;
  /** As they stand in the row, for comparing them later. */
  readonly tagsText: string | null;
}

/** Where a page of a source begins: the values by which it is ordered. */
export type LifecyclePosition = readonly SqlValue[];

export interface CandidatePage {
  readonly candidates: readonly Candidate[];
  /** `null` after the last page. */
  readonly next: LifecyclePosition | null;
}

type CandidateRow = Omit<ObjectRow, 'attributes' | 'etag' | 'owner'> & {
  newer: number | string;
  others: number | string;
};

const columns = `o.bucket, o.object_key, o.version_id, o.seq, o.is_latest, o.is_marker, o.content_id, o.size_bytes, o.tags,
  o.lock_state, o.modified_at, o.noncurrent_at, o.storage_class`;
const sameKey = 'n.bucket = o.bucket and n.object_key = o.object_key';
const newer = `(select count(*) from (select 1 from objects n where ${sameKey} and n.seq > o.seq and n.is_latest = 0
  limit ${newerCountMax}) newest)`;
const others = `(select count(*) from (select 1 from objects n where ${sameKey} and n.seq <> o.seq limit 1) one)`;

const statements: Readonly<Record<LifecycleSource, string>> = {
  current: `select ${columns}, 0 as newer, 1 as others from objects o where o.bucket = ? and o.storage_class = ?
    and o.is_latest = 1 and o.is_marker = 0 and o.modified_at < ?
    and (o.modified_at, o.object_key) > (?, ?) order by o.modified_at, o.object_key limit ?`,
  noncurrent: `select ${columns}, ${newer} as newer, 1 as others from objects o where o.bucket = ? and o.storage_class = ?
    and o.noncurrent_at is not null and o.noncurrent_at < ? and (o.noncurrent_at, o.object_key, o.version_id) > (?, ?, ?)
    order by o.noncurrent_at, o.object_key, o.version_id limit ?`,
  markers: `select ${columns}, 0 as newer, ${others} as others from objects o where o.bucket = ? and o.is_latest = 1
    and o.is_marker = 1 and o.modified_at < ? and o.object_key > ? order by o.object_key limit ?`,
};

const starts: Readonly<Record<LifecycleSource, LifecyclePosition>> = {
  current: [-1, ''],
  noncurrent: [-1, '', ''],
  markers: [''],
};

/** A page of what a rule may demand something of: what came before the window ends, oldest first. */
export async function candidatesOf(
  reader: Reader,
  source: LifecycleSource,
  window: { readonly bucket: string; readonly storageClass: string; readonly beforeMs: number },
  page: { readonly after: LifecyclePosition | null; readonly limit: number },
): Promise<CandidatePage> {
  const after = page.after ?? starts[source];
  const place = source === 'markers' ? [window.bucket] : [window.bucket, window.storageClass];
  const parameters = [...place, window.beforeMs, ...after, page.limit];
  const rows = await reader.rows<CandidateRow>(statements[source], parameters);
  const last = rows.at(-1);
  const isLast = rows.length < page.limit || last === undefined;
  return { candidates: rows.map(toCandidate), next: isLast ? null : positionOf(source, last) };
}

function positionOf(source: LifecycleSource, row: CandidateRow): LifecyclePosition {
  if (source === 'current') return [row.modified_at, row.object_key];
  return source === 'noncurrent' ? [row.noncurrent_at, row.object_key, row.version_id] : [row.object_key];
}

function toCandidate(row: CandidateRow): Candidate {
  return {
    bucket: row.bucket,
    key: row.object_key,
    versionId: row.version_id,
    seq: row.seq,
    isLatest: row.is_latest === 1,
    isMarker: row.is_marker === 1,
    contentId: row.content_id,
    sizeBytes: row.size_bytes,
    tags: row.tags === null ? {} : (JSON.parse(row.tags) as Tags),
    tagsText: row.tags,
    storageClass: row.storage_class,
    lock: row.lock_state === null ? null : (JSON.parse(row.lock_state) as ObjectLock),
    modifiedAtMs: row.modified_at,
    noncurrentAtMs: row.noncurrent_at,
    newerNoncurrent: Number(row.newer),
    isOnly: Number(row.others) === 0,
  };
}

/** An open upload, oldest first in a page. */
export interface OpenUpload {
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly createdAtMs: number;
}

const openUploads = `select upload_id, bucket, object_key, created_at from uploads where state = 'open' and created_at < ?
  and (created_at, upload_id) > (?, ?) order by created_at, upload_id limit ?`;

/** Open uploads that began before a moment, in all buckets. */
export async function uploadsBefore(
  reader: Reader,
  beforeMs: number,
  page: { readonly after: OpenUpload | null; readonly limit: number },
): Promise<OpenUpload[]> {
  const { createdAtMs = -1, uploadId = '' } = page.after ?? {};
  const rows = await reader.rows<{ upload_id: string; bucket: string; object_key: string; created_at: number }>(
    openUploads,
    [beforeMs, createdAtMs, uploadId, page.limit],
  );
  return rows.map((row) => ({
    uploadId: row.upload_id,
    bucket: row.bucket,
    key: row.object_key,
    createdAtMs: row.created_at,
  }));
}
