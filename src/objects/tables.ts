/** Rows of this feature's tables, as statements give them. Times are integer milliseconds, documents JSON text. */

export interface BackendRow {
  name: string;
  kind: string;
  config: string;
  secrets: string | null;
  labels: string;
  state: string;
  position: number;
  quota_bytes: number | null;
  object_bytes_max: number | null;
  month_requests_max: number | null;
  month_ingress_bytes_max: number | null;
  month_egress_bytes_max: number | null;
  version: number;
  created_at: number;
  updated_at: number;
}

export interface BucketRow {
  name: string;
  owner: string;
  settings: string;
  version: number;
  created_at: number;
}

export interface ObjectRow {
  bucket: string;
  object_key: string;
  version_id: string;
  seq: number;
  is_latest: number;
  is_marker: number;
  content_id: string | null;
  size_bytes: number;
  etag: string;
  attributes: string;
  tags: string | null;
  lock_state: string | null;
  owner: string;
  modified_at: number;
  /** When a later version took its place; `null` for the latest. */
  noncurrent_at: number | null;
  storage_class: string;
}

export interface UploadRow {
  upload_id: string;
  bucket: string;
  object_key: string;
  owner: string;
  state: string;
  attributes: string;
  tags: string | null;
  lock_state: string | null;
  checksum: string | null;
  result: string | null;
  created_at: number;
  finished_at: number | null;
  storage_class: string;
}

export interface StorageClassRow {
  name: string;
  position: number;
  labels: string;
}

export interface CopyRow {
  content_id: string;
  part: number;
  backend: string;
  storage_key: string;
  size_bytes: number;
  stored_bytes: number;
  crc32: number;
  created_at: number;
  /** How the body is laid down, as JSON; null for plain bytes. */
  form: string | null;
  /** When its bytes were last read whole and found right. */
  verified_at: number | null;
  /** Since when it is known to be bad; it stays while there is no good one. */
  damaged_at: number | null;
}

export interface KekRow {
  id: string;
  purpose: string;
  root_key_id: string;
  wrapped: string;
  state: string;
  created_at: number;
}

export interface RewriteRow {
  id: string;
  action: string;
  bucket: string | null;
  state: string;
  reached: string;
  seen: number;
  rewritten: number;
  rewritten_bytes: number;
  failed: number;
  last_error: string | null;
  actor: string;
  created_at: number;
  finished_at: number | null;
}

export interface PartRow {
  content_id: string;
  part: number;
  size_bytes: number;
  etag: string;
  crc32: number;
  checksums: string;
  modified_at: number;
}

export interface IntentRow {
  write_id: string;
  backend: string;
  storage_key: string;
  stored_bytes: number;
  owner: string;
  created_at: number;
}

export interface CleanupRow {
  id: number;
  backend: string;
  storage_key: string;
  stored_bytes: number;
  reason: string;
  state: string;
  due_at: number;
  attempts: number;
  last_error: string | null;
  is_uncertain: number;
  claimed_by: string | null;
  claimed_until: number;
  created_at: number;
}

export interface ShortfallRow {
  content_id: string;
  part: number;
  bucket: string;
  due_at: number;
  attempts: number;
  last_error: string | null;
  /** Names of backends where it could not be written, the latest last; JSON. */
  failed_targets: string | null;
  claimed_by: string | null;
  claimed_until: number;
  created_at: number;
  /** Since when a copy is owed because another was damaged; `null` when none was. */
  damaged_at: number | null;
}

export interface SurplusRow {
  content_id: string;
  part: number;
  waits_for: string;
  due_at: number;
  attempts: number;
  last_error: string | null;
  created_at: number;
}

export interface OutageRow {
  backend: string;
  since: number;
  reason: string;
  away_at: number | null;
  walked_to: string;
  is_walked: number;
}

export interface DrainRow {
  backend: string;
  started_at: number;
  bytes_left: number | null;
  bytes_per_second: number | null;
  measured_at: number | null;
  completed_at: number | null;
  walked_to: string;
}
