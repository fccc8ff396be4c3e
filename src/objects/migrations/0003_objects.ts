import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

const tables = [
  'shortfalls',
  'cleanup',
  'intents',
  'object_parts',
  'copies',
  'uploads',
  'objects',
  'buckets',
  'backend_usage',
  'backend_stripes',
  'object_backends',
];

/** Backends, buckets, objects with their copies, and the books that account for every byte. */
export const objectsMigration: Migration = {
  name: '0003_objects',
  async up(db, types) {
    for (const statement of [...backends(types), ...objects(types), ...books(types)]) {
      await db.executeQuery(CompiledQuery.raw(statement));
    }
  },
  async down(db) {
    for (const table of tables) await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
  },
};

function backends({ key, integer }: ColumnTypes): string[] {
  return [
    `create table object_backends (
      name ${key} primary key, kind ${key} not null, config text not null, secrets text, labels text not null,
      state ${key} not null, position ${integer} not null, quota_bytes ${integer}, object_bytes_max ${integer},
      month_requests_max ${integer}, month_ingress_bytes_max ${integer}, month_egress_bytes_max ${integer},
      version ${integer} not null, created_at ${integer} not null, updated_at ${integer} not null)`,
    // Bytes are counted in stripes, so that writers of one backend do not wait for one row. A stripe alone may be
    // negative; their sum is what may stand on the backend: copies, intents and what waits for deletion.
    `create table backend_stripes (
      backend ${key} not null, stripe ${integer} not null, used_bytes ${integer} not null, primary key (backend, stripe))`,
    `create table backend_usage (
      backend ${key} not null, month ${key} not null, requests ${integer} not null, ingress_bytes ${integer} not null,
      egress_bytes ${integer} not null, primary key (backend, month))`,
  ];
}

function objects({ key, integer }: ColumnTypes): string[] {
  return [
    `create table buckets (
      name ${key} primary key, owner ${key} not null, settings text not null, version ${integer} not null,
      created_at ${integer} not null)`,
    // The reference to the bucket is what excludes deleting a bucket while an object is written to it.
    `create table objects (
      bucket ${key} not null references buckets (name), object_key ${key} not null, version_id ${key} not null,
      seq ${integer} not null, is_latest ${integer} not null, is_marker ${integer} not null, content_id ${key},
      size_bytes ${integer} not null, etag ${key} not null, attributes text not null, tags text, lock_state text,
      owner ${key} not null, modified_at ${integer} not null, primary key (bucket, object_key, version_id))`,
    `create unique index objects_versions on objects (bucket, object_key, seq)`,
    `create index objects_listed on objects (bucket, object_key) where is_latest = 1 and is_marker = 0`,
    `create index objects_content on objects (content_id)`,
    `create table uploads (
      upload_id ${key} primary key, bucket ${key} not null references buckets (name), object_key ${key} not null,
      owner ${key} not null, state ${key} not null, attributes text not null, tags text, lock_state text, checksum text,
      result text, created_at ${integer} not null, finished_at ${integer})`,
    `create index uploads_open on uploads (bucket, object_key, upload_id) where state = 'open'`,
    `create index uploads_finished on uploads (finished_at) where finished_at is not null`,
    `create table copies (
      content_id ${key} not null, part ${integer} not null, backend ${key} not null references object_backends (name),
      storage_key ${key} not null, size_bytes ${integer} not null, stored_bytes ${integer} not null, crc32 ${integer} not null,
      created_at ${integer} not null, primary key (content_id, part, backend))`,
    `create unique index copies_place on copies (backend, storage_key)`,
    `create table object_parts (
      content_id ${key} not null, part ${integer} not null, size_bytes ${integer} not null, etag ${key} not null,
      crc32 ${integer} not null, checksums text not null, modified_at ${integer} not null,
      primary key (content_id, part))`,
  ];
}

function books({ key, integer, counter }: ColumnTypes): string[] {
  return [
    // The references keep a backend from being removed while a write to it begins.
    // An intent is the record of bytes that may come to stand on a backend, and the claim on the room they need.
    `create table intents (
      write_id ${key} not null, backend ${key} not null references object_backends (name),
      storage_key ${key} not null, stored_bytes ${integer} not null, owner ${key} not null, created_at ${integer} not null, primary key (write_id, backend))`,
    `create index intents_age on intents (created_at)`,
    `create table cleanup (
      id ${counter}, backend ${key} not null, storage_key ${key} not null, stored_bytes ${integer} not null,
      reason ${key} not null, state ${key} not null, due_at ${integer} not null, attempts ${integer} not null,
      last_error text, is_uncertain ${integer} not null, claimed_by ${key}, claimed_until ${integer} not null,
      created_at ${integer} not null)`,
    `create unique index cleanup_place on cleanup (backend, storage_key)`,
    `create index cleanup_due on cleanup (due_at) where state = 'waiting'`,
    // What is worked on is little; what waits may be very much.
    `create index cleanup_claimed on cleanup (claimed_by) where claimed_until > 0`,
    // Contents with fewer copies than their bucket wants.
    `create table shortfalls (
      content_id ${key} not null, part ${integer} not null, bucket ${key} not null, due_at ${integer} not null,
      attempts ${integer} not null, last_error text, claimed_by ${key}, claimed_until ${integer} not null,
      created_at ${integer} not null, primary key (content_id, part))`,
    `create index shortfalls_due on shortfalls (due_at)`,
    `create index shortfalls_claimed on shortfalls (claimed_by) where claimed_until > 0`,
  ];
}
