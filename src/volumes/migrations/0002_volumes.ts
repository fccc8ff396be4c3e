import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** Volumes with their attachments and snapshots. */
export const volumesMigration: Migration = {
  name: '0002_volumes',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of ['snapshots', 'attachments', 'volumes']) {
      await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
    }
  },
};

function up({ key, integer }: ColumnTypes): string[] {
  return [
    // Sizes are decimal text: they are exact beyond what a number of either engine's driver holds.
    `create table volumes (
      id ${key} primary key, name ${key} not null, state ${key} not null, reason text, size_bytes text not null,
      backend ${key} not null, image ${key} not null, location text, metadata text not null, qos text not null,
      source_snapshot_id ${key}, attempt ${integer} not null, next_retry_at ${integer}, last_operation_id ${key},
      generation ${integer} not null, version ${integer} not null, created_at ${integer} not null,
      updated_at ${integer} not null, trash_expires_at ${integer}, purged_at ${integer})`,
    `create unique index volumes_live_name on volumes (name) where state <> 'deleted'`,
    `create unique index volumes_image on volumes (backend, image) where purged_at is null`,
    `create index volumes_live on volumes (id) where state <> 'deleted'`,
    `create index volumes_state on volumes (state, id)`,
    `create index volumes_backend on volumes (backend, id)`,
    `create index volumes_name on volumes (name, id)`,
    `create index volumes_trash on volumes (trash_expires_at, id) where trash_expires_at is not null`,
    `create table attachments (
      id ${key} primary key, volume_id ${key} not null references volumes (id) on delete cascade, node_id ${key} not null,
      mode ${key} not null, generation ${integer} not null, state ${key} not null, attach_operation_id ${key} not null,
      detach_operation_id ${key}, created_at ${integer} not null, detached_at ${integer})`,
    `create unique index attachments_generation on attachments (volume_id, generation)`,
    `create index attachments_open on attachments (volume_id) where state <> 'detached'`,
    `create table snapshots (
      id ${key} primary key, volume_id ${key} not null references volumes (id) on delete cascade, name ${key} not null,
      size_bytes text not null, state ${key} not null, reason text, created_at ${integer} not null)`,
    `create unique index snapshots_live_name on snapshots (volume_id, name) where state <> 'deleted'`,
  ];
}
