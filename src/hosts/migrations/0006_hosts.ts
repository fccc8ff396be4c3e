import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** Hosts with their agents, the work addressed to them, and what they report. */
export const hostsMigration: Migration = {
  name: '0006_hosts',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of ['host_reports', 'host_work', 'hosts']) {
      await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
    }
  },
};

function up({ key, integer }: ColumnTypes): string[] {
  return [
    // The state is the one that was told last by an event; what it is now follows from the last heartbeat.
    `create table hosts (
      id ${key} primary key, name ${key} not null unique, address text not null, version text not null,
      capabilities text not null, session ${key}, epoch ${integer} not null, state ${key} not null,
      created_at ${integer} not null, heartbeat_at ${integer} not null)`,
    // The token is that of the step that waits for it, so that a repeated step finds its work.
    `create table host_work (
      id ${key} primary key, host_id ${key} not null references hosts (id) on delete cascade, token ${key} not null,
      resource ${key} not null, kind ${key} not null, fence ${integer} not null, attempt ${integer} not null, input text not null, secret text,
      state ${key} not null, output text, error text, created_at ${integer} not null, expires_at ${integer} not null,
      finished_at ${integer})`,
    `create index host_work_pending on host_work (host_id, created_at, id) where state = 'pending'`,
    `create index host_work_resource on host_work (host_id, resource) where state = 'pending'`,
    `create unique index host_work_token on host_work (token, attempt)`,
    `create index host_work_finished on host_work (finished_at) where state <> 'pending'`,
    `create table host_reports (
      host_id ${key} not null references hosts (id) on delete cascade, section ${key} not null, data text not null,
      reported_at ${integer} not null, primary key (host_id, section))`,
  ];
}
