import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** In which class versions are, and which labels a class asks for. What was there before is in STANDARD. */
export const storageClassesMigration: Migration = {
  name: '0018_storage_classes',
  async up(db, { key, integer }) {
    const statements = [
      `create table storage_classes (name ${key} primary key, position ${integer} not null, labels text not null)`,
      ...['objects', 'uploads'].map(
        (table) => `alter table ${table} add column storage_class ${key} default 'STANDARD' not null`,
      ),
      // What is due is looked for class by class: what has moved to the last one is not looked at again for that.
      ...dropAged,
      `create index objects_aged on objects (bucket, storage_class, modified_at, object_key)
        where is_latest = 1 and is_marker = 0`,
      `create index objects_noncurrent on objects (bucket, storage_class, noncurrent_at, object_key, version_id)
        where noncurrent_at is not null`,
    ];
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    const statements = [
      ...dropAged,
      'create index objects_aged on objects (bucket, modified_at, object_key) where is_latest = 1 and is_marker = 0',
      `create index objects_noncurrent on objects (bucket, noncurrent_at, object_key, version_id)
        where noncurrent_at is not null`,
      ...['objects', 'uploads'].map((table) => `alter table ${table} drop column storage_class`),
      'drop table storage_classes',
    ];
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  },
};

const dropAged = ['drop index objects_aged', 'drop index objects_noncurrent'];
