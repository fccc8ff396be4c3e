import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** Who may use the objects: users, their access keys and grants, and the check of the key that seals secrets. */
export const accessMigration: Migration = {
  name: '0004_access',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of ['grants', 'access_keys', 'users', 'secret_check']) {
      await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
    }
  },
};

function up({ key, integer }: ColumnTypes): string[] {
  return [
    `create table secret_check (key_id ${key} primary key, sealed text not null)`,
    // The version grows with each change of the user, its keys and its grants: that change holds the row.
    `create table users (
      id ${key} primary key, name ${key} not null, is_admin ${integer} not null, version ${integer} not null,
      created_at ${integer} not null)`,
    `create unique index users_name on users (name)`,
    // A revoked key loses its secret and stays, for the audit trail.
    `create table access_keys (
      access_key ${key} primary key, user_id ${key} not null references users (id), sealed_secret text,
      label text not null, created_at ${integer} not null, revoked_at ${integer}, last_used_at ${integer})`,
    `create index access_keys_created on access_keys (created_at, access_key)`,
    `create index access_keys_user on access_keys (user_id, created_at, access_key)`,
    `create table grants (
      user_id ${key} not null references users (id), bucket ${key} not null, permissions text not null,
      updated_at ${integer} not null, primary key (user_id, bucket))`,
  ];
}
