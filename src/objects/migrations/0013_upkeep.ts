import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** What lifecycle rules and the scrubber look for: when a version stopped being current, when a copy was last read. */
export const upkeepMigration: Migration = {
  name: '0013_upkeep',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const statement of down) await db.executeQuery(CompiledQuery.raw(statement));
  },
};

const indexes = [
  `objects_aged on objects (bucket, modified_at, object_key) where is_latest = 1 and is_marker = 0`,
  `objects_noncurrent on objects (bucket, noncurrent_at, object_key, version_id) where noncurrent_at is not null`,
  `objects_marked on objects (bucket, object_key) where is_latest = 1 and is_marker = 1`,
  `uploads_aged on uploads (created_at, upload_id) where state = 'open'`,
  `copies_verified on copies (backend, (coalesce(verified_at, created_at)), storage_key)`,
  `copies_damaged on copies (backend) where damaged_at is not null`,
];

/** When a version became noncurrent is when the one after it came. */
const sinceWhen = `update objects set noncurrent_at = (select n.modified_at from objects n where n.bucket = objects.bucket
    and n.object_key = objects.object_key and n.seq > objects.seq order by n.seq limit 1) where is_latest = 0`;

function up({ integer }: ColumnTypes): string[] {
  return [
    `alter table objects add column noncurrent_at ${integer}`,
    sinceWhen,
    // When the bytes of a copy were last read whole and found right.
    `alter table copies add column verified_at ${integer}`,
    // Since when a copy is known to be bad that stays, since there is no good one.
    `alter table copies add column damaged_at ${integer}`,
    // Since when a copy is owed because another one was damaged, so that it is told when that is made good.
    `alter table shortfalls add column damaged_at ${integer}`,
    ...indexes.map((index) => `create index ${index}`),
  ];
}

const down = [
  ...indexes.map((index) => `drop index ${index.slice(0, index.indexOf(' '))}`),
  'alter table shortfalls drop column damaged_at',
  'alter table copies drop column damaged_at',
  'alter table copies drop column verified_at',
  'alter table objects drop column noncurrent_at',
];
