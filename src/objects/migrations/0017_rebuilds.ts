import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** Rebuilding the ledger from backends, and where what is found there is gathered until it is entered. */
export const rebuildsMigration: Migration = {
  name: '0017_rebuilds',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of tables) await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
  },
};

const tables = [
  'rebuilds',
  'rebuild_buckets',
  'rebuild_versions',
  'rebuild_parts',
  'rebuild_copies',
  'rebuild_contents',
];

function up({ key, integer }: ColumnTypes): string[] {
  return [
    `create table rebuilds (
      id ${key} primary key, state ${key} not null, wish text not null, report text, error text, actor ${key} not null,
      created_at ${integer} not null, finished_at ${integer})`,
    `create unique index rebuilds_running on rebuilds (state) where state = 'running'`,
    // Rows of the ledger as a backup tells them.
    `create table rebuild_buckets (name ${key} primary key, told text not null)`,
    `create table rebuild_versions (
      bucket ${key} not null, object_key ${key} not null, version_id ${key} not null, content_id ${key}, told text not null,
      primary key (bucket, object_key, version_id))`,
    `create index rebuild_versions_content on rebuild_versions (content_id)`,
    `create table rebuild_parts (
      content_id ${key} not null, part ${integer} not null, told text not null, primary key (content_id, part))`,
    // Copies as a backup tells them, or blobs do. is_found: 0 nobody has seen it, 1 it stands, 2 a key is made of it.
    `create table rebuild_copies (
      backend ${key} not null, storage_key ${key} not null, content_id ${key} not null, part ${integer} not null,
      is_known ${integer} not null, is_found ${integer} not null, told text not null,
      primary key (backend, storage_key))`,
    `create index rebuild_copies_content on rebuild_copies (content_id, part)`,
    // Contents as blobs tell them.
    `create table rebuild_contents (
      content_id ${key} not null, part ${integer} not null, bucket ${key} not null, object_key ${key} not null,
      stands_at ${integer} not null, told text not null, primary key (content_id, part))`,
    `create index rebuild_contents_key on rebuild_contents (bucket, object_key)`,
  ];
}
