import type { UsageLimits } from '../backends/usage.ts';

/** What a limit is on: `bucket:NAME`, or `user:ID`. */
export function bucketSubject(name: string): string {
  return `bucket:${name}`;
}

/** A user by the id under which versions are owned. */
export function userSubject(id: string): string {
  return `user:${id}`;
}

/** Limits of a bucket or user; `null` is none. */
export interface QuotaLimits {
  /** Of all versions, and of the parts of open uploads. */
  readonly bytes: number | null;
  /** Versions; delete markers do not count, so that deleting never needs room. */
  readonly objects: number | null;
  /** Of a calendar month, in UTC. */
  readonly month: UsageLimits;
}

/** A subject's limits, and what stands against them. */
export interface QuotaBook {
  readonly subject: string;
  /** Another one when the limits were removed and set again. */
  readonly bookId: string;
  readonly limits: QuotaLimits;
  readonly usedBytes: number;
  readonly usedObjects: number;
  /** When the books were last counted; `null` until they are exact, which takes a moment after limits are set. */
  readonly countedAtMs: number | null;
  readonly createdAtMs: number;
}

/** A row of `quota_books`, as statements give it. */
export interface QuotaRow {
  subject: string;
  book_id: string;
  bytes_max: number | null;
  objects_max: number | null;
  month_requests_max: number | null;
  month_ingress_bytes_max: number | null;
  month_egress_bytes_max: number | null;
  used_bytes: number;
  used_objects: number;
  version: number;
  counted_at: number | null;
  /** While it is counted: the last key that was, and what was found up to it. */
  counting_bucket: string | null;
  counting_key: string | null;
  counting_bytes: number;
  counting_objects: number;
  counting_final: number;
  created_at: number;
}

export function toBook(row: QuotaRow): QuotaBook {
  return {
    subject: row.subject,
    bookId: row.book_id,
    limits: {
      bytes: row.bytes_max,
      objects: row.objects_max,
      month: {
        requests: row.month_requests_max,
        ingress: row.month_ingress_bytes_max,
        egress: row.month_egress_bytes_max,
      },
    },
    // Before they are counted, books may have heard only of what went.
    usedBytes: Math.max(0, row.used_bytes),
    usedObjects: Math.max(0, row.used_objects),
    countedAtMs: row.counted_at,
    createdAtMs: row.created_at,
  };
}
