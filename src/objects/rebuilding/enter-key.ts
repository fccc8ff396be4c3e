import { standardClass } from '../storage-class.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { BucketRow, CopyRow, PartRow, UploadRow } from '../tables.ts';
import { lockColumn, tagsColumn } from '../rows.ts';
import type { DescribedContent } from './describe-blob.ts';
import { planKey } from './plan-key.ts';
import { type RebuildReport, tell } from './report.ts';
import { restoreKey } from './restore-key.ts';
import {
  type StagedCopy,
  type StagedKey,
  describedContents,
  foundCopies,
  stagedParts,
  stagedVersions,
  takeCopies,
} from './stage.ts';

export interface EnterOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly report: RebuildReport;
  readonly asOfMs: number | null;
  readonly isDryRun: boolean;
}

/** A content as it was found: its parts, and for each of them the copies that are the same bytes. */
interface FoundContent {
  readonly parts: readonly PartRow[];
  readonly copies: readonly CopyRow[];
  readonly isComplete: boolean;
}

/** Enters what was gathered of a key, or only counts it. */
export async function enterKey(options: EnterOptions, key: StagedKey, bucket: BucketRow): Promise<void> {
  const { store, clock, report, asOfMs, isDryRun } = options;
  const versions = await store.read((reader) => stagedVersions(reader, key));
  const described = await store.read((reader) => describedContents(reader, key));
  const wholes = described.filter((one) => !isUpload(one.contentId));
  const uploaded = described.filter((one) => isUpload(one.contentId));
  const ids = [...versions.map((row) => row.content_id), ...wholes.map((one) => one.contentId)];
  const contents = new Map<string, FoundContent>();
  for (const id of ids) if (id !== null && !contents.has(id)) contents.set(id, await findContent(store, id));
  const isComplete = (id: string) => contents.get(id)?.isComplete === true;
  const plan = planKey({ versions, contents: wholes, asOfMs, owner: bucket.owner, isComplete });
  const uploads = uploadsOf(uploaded, bucket.owner);
  const openParts = uploaded.map(partOf);
  const openCopies: CopyRow[] = [];
  for (const { upload_id: id } of uploads) openCopies.push(...(await standingCopies(store, id)));
  const used = [...new Set(plan.versions.flatMap((row) => (row.content_id === null ? [] : [row.content_id])))];
  const found = used.map((id) => contents.get(id)!);
  const restored = {
    bucket: key.bucket,
    key: key.object_key,
    versions: plan.versions,
    uploads,
    parts: [...found.flatMap(({ parts }) => parts), ...openParts],
    copies: [...found.flatMap(({ copies }) => copies), ...openCopies],
    nowMs: clock.nowMs(),
  };
  tellPlan(report, key, plan);
  if (plan.versions.length === 0 && uploads.length === 0) return;
  const entered = isDryRun ? await wouldEnter(store, key, restored.copies) : await store.write(restoreKey, restored);
  if (entered === null) {
    report.standing++;
    return;
  }
  report.keys++;
  report.versions += plan.versions.length;
  report.uploads += uploads.length;
  report.copies += entered;
}

async function wouldEnter(store: Store, { bucket, object_key: key }: StagedKey, copies: readonly CopyRow[]) {
  const any = 'select 1 from objects where bucket = ? and object_key = ? limit 1';
  const isStanding = (await store.read((reader) => reader.rows(any, [bucket, key]))).length > 0;
  return isStanding ? null : store.write(takeCopies, copies);
}

function tellPlan(report: RebuildReport, { bucket, object_key: key }: StagedKey, plan: ReturnType<typeof planKey>) {
  report.lost += plan.lost.length;
  report.doubtful += plan.doubtful.length;
  for (const { version_id: id } of plan.lost) {
    tell(report, 'lost', `${bucket}/${key} (version ${id}): not all of its bytes stand anywhere.`);
  }
  for (const id of plan.doubtful) {
    const sentence = 'is newer than the backup of the ledger; if it was deleted since then, it is back.';
    tell(report, 'doubtful', `${bucket}/${key} (version ${id}) ${sentence}`);
  }
}

/** Ids of contents that were, or are, uploaded in parts. */
function isUpload(contentId: string): boolean {
  return contentId.startsWith('u-');
}

/** Backups tell of no uploads under way: parts that no version has are open again, until their client, or a rule, ends them. */
function uploadsOf(parts: readonly DescribedContent[], owner: string): UploadRow[] {
  const uploads = new Map<string, UploadRow>();
  for (const { contentId, bucket, key, attributes, version, createdAtMs } of parts) {
    if (uploads.has(contentId)) continue;
    uploads.set(contentId, {
      upload_id: contentId,
      bucket,
      object_key: key,
      owner: version?.owner ?? owner,
      state: 'open',
      attributes: JSON.stringify(attributes),
      tags: tagsColumn(version?.tags ?? {}),
      lock_state: lockColumn(version?.lock ?? null),
      storage_class: version?.storageClass ?? standardClass,
      checksum: null,
      result: null,
      created_at: createdAtMs,
      finished_at: null,
    });
  }
  return [...uploads.values()];
}

function partOf({ contentId, part, sizeBytes, md5, crc32, createdAtMs }: DescribedContent): PartRow {
  return {
    content_id: contentId,
    part,
    size_bytes: sizeBytes,
    etag: md5 ?? '0'.repeat(32),
    crc32: crc32 ?? 0,
    checksums: '[]',
    modified_at: createdAtMs,
  };
}

async function findContent(store: Store, contentId: string): Promise<FoundContent> {
  const parts = await store.read((reader) => stagedParts(reader, contentId));
  // A content that was written whole has no parts, and its copies are of part 1. Parts that were not chosen are no part of it.
  const wanted = new Set(parts.length === 0 ? [1] : parts.map(({ part }) => part));
  const copies = (await standingCopies(store, contentId)).filter(({ part }) => wanted.has(part));
  return { parts, copies, isComplete: new Set(copies.map(({ part }) => part)).size === wanted.size };
}

async function standingCopies(store: Store, contentId: string): Promise<CopyRow[]> {
  const byPart = Map.groupBy(await store.read((reader) => foundCopies(reader, contentId)), ({ row }) => row.part);
  return [...byPart.values()].flatMap(sameBytes);
}

/** Of copies of one part those that are of the same writing: the one the backup tells of, else the latest; one a backend. */
function sameBytes(copies: readonly StagedCopy[]): CopyRow[] {
  const known = copies.filter(({ isKnown }) => isKnown);
  const newest = (known.length > 0 ? known : copies).reduce((a, b) => (b.row.created_at > a.row.created_at ? b : a));
  const { form, size_bytes: size } = newest.row;
  const same = copies.filter(({ row }) => row.form === form && Number(row.size_bytes) === Number(size));
  const sum = newest.row.crc32;
  const byBackend = new Map<string, CopyRow>();
  for (const { row } of same) {
    if (form === null && row.crc32 !== sum) continue;
    // A customer's key keeps the checksum of the own bytes from who finds a blob; who wrote it has told it to the backup.
    if (!byBackend.has(row.backend)) byBackend.set(row.backend, { ...row, crc32: sum });
  }
  return [...byBackend.values()];
}
