import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** Targets, what they are told of, how far the outbox was read for them, and what is to be delivered. */
export const notificationsMigration: Migration = {
  name: '0012_notifications',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of tables) await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
  },
};

const tables = [
  'notification_deliveries',
  'notification_cursor',
  'notification_subscriptions',
  'notification_targets',
] as const;

function up({ key, integer, counter }: ColumnTypes): string[] {
  return [
    // The counts are of the target's rows among the deliveries, kept in the transactions that change those.
    `create table notification_targets (
      name ${key} primary key, kind ${key} not null, config text not null, secrets text not null, state ${key} not null,
      reason text, waiting ${integer} not null, dead ${integer} not null, dropped ${integer} not null,
      version ${integer} not null, created_at ${integer} not null, updated_at ${integer} not null)`,
    `create table notification_subscriptions (
      name ${key} primary key, target ${key} not null references notification_targets (name) on delete cascade,
      types text not null, resources text not null, created_at ${integer} not null)`,
    `create index notification_subscriptions_target on notification_subscriptions (target)`,
    // One row: all events up to this id are either among the deliveries, or nobody wanted them.
    `create table notification_cursor (id ${integer} primary key, event_id ${integer} not null)`,
    `insert into notification_cursor (id, event_id) select 1, coalesce(max(id), 0) from events`,
    `create table notification_deliveries (
      id ${counter}, target ${key} not null references notification_targets (name) on delete cascade,
      event_id ${integer} not null, resource ${key} not null, type ${key} not null, body text not null,
      state ${key} not null, attempts ${integer} not null, due_at ${integer} not null, last_error text,
      claimed_by ${key}, claimed_until ${integer} not null, created_at ${integer} not null)`,
    `create index notification_deliveries_due on notification_deliveries (target, due_at, id) where state = 'waiting'`,
    // What is sent at this moment is little; what waits may be much.
    `create index notification_deliveries_claimed on notification_deliveries (target) where claimed_until > 0`,
    `create index notification_deliveries_order on notification_deliveries (target, resource, id) where state = 'waiting'`,
    `create index notification_deliveries_dead on notification_deliveries (target, id) where state = 'dead'`,
  ];
}
