import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from './migration.ts';

/** Operations with their journal, locks, leases, events, keepers and tokens. */
export const kernelMigration: Migration = {
  name: '0001_kernel',
  async up(db, types) {
    for (const statement of up(types)) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of tables) await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
  },
};

const tables = [
  'tokens',
  'keepers',
  'events',
  'replicas',
  'resource_locks',
  'operation_signals',
  'operation_steps',
  'operations',
];

function up({ key, integer, counter }: ColumnTypes): string[] {
  return [
    `create table operations (
      id ${key} primary key, kind ${key} not null, status ${key} not null, resource ${key} not null, ticket ${integer} not null,
      input text not null, output text, error text, idempotency_key ${key}, request_hash ${key}, actor ${key} not null,
      traceparent ${key}, owner ${key}, fence ${integer} not null, takeovers ${integer} not null,
      cancel_requested ${integer} not null, version ${integer} not null, created_at ${integer} not null,
      started_at ${integer}, finished_at ${integer})`,
    `create unique index operations_idempotency on operations (idempotency_key) where idempotency_key is not null`,
    `create index operations_queue on operations (resource, ticket) where status = 'pending'`,
    `create index operations_executing on operations (owner) where status = 'executing'`,
    `create index operations_finished on operations (finished_at) where finished_at is not null`,
    `create index operations_resource on operations (resource, id)`,
    `create index operations_status on operations (status, id)`,
    `create index operations_kind on operations (kind, id)`,
    `create table operation_steps (
      operation_id ${key} not null references operations (id) on delete cascade, name ${key} not null,
      position ${integer} not null, status ${key} not null, attempts ${integer} not null, output text, error text,
      next_attempt_at ${integer}, started_at ${integer} not null, finished_at ${integer},
      primary key (operation_id, name))`,
    `create table operation_signals (
      operation_id ${key} not null references operations (id) on delete cascade, name ${key} not null,
      payload text not null, created_at ${integer} not null, primary key (operation_id, name))`,
    `create table resource_locks (
      resource ${key} primary key, operation_id ${key}, fence ${integer} not null, waiting ${integer} not null,
      tickets ${integer} not null)`,
    `create index resource_locks_forgotten on resource_locks (resource) where operation_id is null and waiting > 0`,
    `create table replicas (
      id ${key} primary key, until ${integer} not null, started_at ${integer} not null, detail text not null)`,
    `create table events (
      id ${counter}, resource ${key} not null, seq ${integer} not null, type ${key} not null, data text not null,
      operation_id ${key}, actor ${key} not null, created_at ${integer} not null)`,
    `create unique index events_resource on events (resource, seq)`,
    `create index events_type on events (type, id)`,
    `create index events_created on events (created_at)`,
    `create table keepers (
      name ${key} primary key, owner ${key}, until ${integer} not null, runs ${integer} not null, last_started_at ${integer},
      last_finished_at ${integer}, last_success_at ${integer}, last_result text, last_error text)`,
    `create table tokens (
      id ${key} primary key, name ${key} not null, role ${key} not null, hash ${key} not null, created_at ${integer} not null,
      revoked_at ${integer})`,
    `create unique index tokens_hash on tokens (hash)`,
  ];
}
