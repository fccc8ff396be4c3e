import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** What keeps copies where they belong: outages, copies beyond what is wanted, drains, and a rebalancer that rests. */
export const keepingMigration: Migration = {
  name: '0016_keeping',
  async up(db, { key, integer }) {
    const statements = [
      // Backends where this content could not be written, so that they are tried last.
      'alter table shortfalls add column failed_targets text',
      // Contents with more copies than their bucket wants. Those that wait for a backend are looked at when it is back.
      `create table surpluses (
        content_id ${key} not null, part ${integer} not null, waits_for ${key} not null, due_at ${integer} not null,
        attempts ${integer} not null, last_error text, created_at ${integer} not null, primary key (content_id, part))`,
      'create index surpluses_due on surpluses (waits_for, due_at)',
      // A row is there while a backend does not work. Once it is away its copies count as missing, and its copies are gone
      // through in order of their keys, as far as walked_to.
      `create table backend_outages (
        backend ${key} primary key, since ${integer} not null, reason text not null, away_at ${integer},
        walked_to ${key} not null, is_walked ${integer} not null)`,
      `create table backend_drains (
        backend ${key} primary key, started_at ${integer} not null, bytes_left ${integer}, bytes_per_second ${integer},
        measured_at ${integer}, completed_at ${integer}, walked_to ${key} default '' not null)`,
      // Moving what is safe where it is costs money, so somebody has to want it.
      `insert into keepers (name, until, runs, paused_at, paused_by)
        values ('object-rebalancer', 0, 0, ${Date.now()}, 'default') on conflict (name) do nothing`,
    ];
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    const statements = [
      'alter table shortfalls drop column failed_targets',
      ...['surpluses', 'backend_outages', 'backend_drains'].map((table) => `drop table ${table}`),
      `delete from keepers where name = 'object-rebalancer'`,
    ];
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  },
};
