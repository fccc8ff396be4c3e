import { createHash } from 'node:crypto';
import { lockColumn, tagsColumn } from '../rows.ts';
import { standardClass } from '../storage-class.ts';
import type { ObjectRow } from '../tables.ts';
import type { DescribedContent } from './describe-blob.ts';

/** What is known of a key. */
export interface FoundKey {
  /** Versions as the backup tells them, oldest first. */
  readonly versions: readonly ObjectRow[];
  /** Contents written whole that no version of the backup has. */
  readonly contents: readonly DescribedContent[];
  /** Up to when the backup tells everything; `null`: there is none. */
  readonly asOfMs: number | null;
  /** For what does not say who owns it. */
  readonly owner: string;
  isComplete(contentId: string): boolean;
}

export interface KeyPlan {
  /** Oldest first, numbered; the last one is the latest. */
  readonly versions: readonly ObjectRow[];
  readonly lost: readonly ObjectRow[];
  /** Version ids that the backup does not tell of. */
  readonly doubtful: readonly string[];
}

/** Writes that the backup told of and blobs of which came to stand this much later are not taken for newer ones. */
const clockSkewMs = 60_000;

/** Whether a content that the backup does not tell of came after it, rather than having been deleted before. */
export function isNewer(standsAtMs: number, asOfMs: number | null): boolean {
  return asOfMs === null || standsAtMs > asOfMs - clockSkewMs;
}

/** Which versions a key is to have; pure. */
export function planKey(found: FoundKey): KeyPlan {
  const { contents, asOfMs, owner, isComplete } = found;
  const rows = found.versions.map((row) => ({ ...row }));
  const doubtful: string[] = [];
  const newer = contents
    .filter(({ standsAtMs }) => isNewer(standsAtMs, asOfMs))
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.contentId < b.contentId ? -1 : 1));
  for (const content of newer) {
    const fresh = rowOf(content, owner);
    const at = rows.findIndex(({ version_id: id }) => id === fresh.version_id);
    const same = rows[at];
    if (same === undefined) {
      rows.push(fresh);
    } else if (isRewritten(same, fresh) && !isComplete(same.content_id!)) {
      // The same bytes in another form, written after the backup.
      rows[at] = { ...same, content_id: fresh.content_id, attributes: mergedAttributes(same, fresh) };
      continue;
    } else if (same.modified_at <= fresh.modified_at) {
      rows.splice(at, 1);
      rows.push(fresh);
    } else {
      continue;
    }
    if (asOfMs !== null) doubtful.push(fresh.version_id);
  }
  const isThere = (row: ObjectRow) => row.is_marker === 1 || isComplete(row.content_id!);
  return { versions: numbered(rows.filter(isThere)), lost: rows.filter((row) => !isThere(row)), doubtful };
}

function isRewritten(known: ObjectRow, fresh: ObjectRow): boolean {
  return (
    known.is_marker === 0 && known.modified_at === fresh.modified_at && Number(known.size_bytes) === fresh.size_bytes
  );
}

function mergedAttributes(known: ObjectRow, fresh: ObjectRow): string {
  const { encryption: _, ...others } = JSON.parse(known.attributes) as Record<string, unknown>;
  const { encryption } = JSON.parse(fresh.attributes) as Record<string, unknown>;
  return JSON.stringify(encryption === undefined ? others : { ...others, encryption });
}

function numbered(rows: readonly ObjectRow[]): ObjectRow[] {
  return rows.map((row, index) => {
    const next = rows[index + 1];
    const noncurrentAt = next === undefined ? null : (row.noncurrent_at ?? next.modified_at);
    return { ...row, seq: index + 1, is_latest: next === undefined ? 1 : 0, noncurrent_at: noncurrentAt };
  });
}

function rowOf(content: DescribedContent, owner: string): ObjectRow {
  const { bucket, key, contentId, sizeBytes, attributes, createdAtMs, version } = content;
  return {
    bucket,
    object_key: key,
    version_id: version?.id ?? 'null',
    seq: 0,
    is_latest: 0,
    is_marker: 0,
    content_id: contentId,
    size_bytes: sizeBytes,
    // Of what a customer's key encrypts nobody else can tell the MD5; there an ETag only has to be its own.
    etag: content.md5 ?? createHash('md5').update(contentId).digest('hex'),
    attributes: JSON.stringify(attributes),
    tags: tagsColumn(version?.tags ?? {}),
    lock_state: lockColumn(version?.lock ?? null),
    owner: version?.owner ?? owner,
    modified_at: createdAtMs,
    noncurrent_at: null,
    storage_class: version?.storageClass ?? standardClass,
  };
}
