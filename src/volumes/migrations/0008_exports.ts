import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** Exports of volumes, and what is known of an attachment's machine and clients. */
export const exportsMigration: Migration = {
  name: '0008_exports',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const statement of [
      'drop table exports',
      'drop index attachments_node',
      'drop index attachments_vm',
      'alter table attachments drop column vm_id',
      'alter table attachments drop column clients',
    ]) {
      await db.executeQuery(CompiledQuery.raw(statement));
    }
  },
};

function up({ key, integer }: ColumnTypes): string[] {
  return [
    `alter table attachments add column vm_id ${key}`,
    // Addresses as the real system tells them, so that a fence reaches a client that only sleeps now.
    `alter table attachments add column clients text`,
    `create index attachments_node on attachments (node_id) where state <> 'detached'`,
    `create index attachments_vm on attachments (vm_id) where state <> 'detached'`,
    `create table exports (
      id ${key} primary key, volume_id ${key} not null references volumes (id) on delete cascade,
      attachment_id ${key} not null, generation ${integer} not null, host ${key} not null, transport ${key} not null,
      mode ${key} not null, allowed_hosts text not null, secret text, state ${key} not null, reason text,
      connection text, created_at ${integer} not null, removed_at ${integer})`,
    // Two servers of one image would each keep their own idea of what is in it.
    `create unique index exports_open on exports (volume_id) where state <> 'removed'`,
    `create index exports_host on exports (host) where state <> 'removed'`,
    `create index exports_volume on exports (volume_id, id)`,
  ];
}
