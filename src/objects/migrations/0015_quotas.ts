import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** Limits of buckets and users with the books that keep them, what they used month by month, and the warnings given. */
export const quotasMigration: Migration = {
  name: '0015_quotas',
  async up(db, { key, integer }) {
    for (const statement of [
      // There is a row only where there is a limit: all else pays one look that finds nothing. There is no index of objects
      // by owner, since every write would pay for what is summed up once an hour.
      `create table quota_books (
        subject ${key} primary key, book_id ${key} not null, bytes_max ${integer}, objects_max ${integer},
        month_requests_max ${integer}, month_ingress_bytes_max ${integer}, month_egress_bytes_max ${integer},
        used_bytes ${integer} not null, used_objects ${integer} not null, version ${integer} not null,
        counted_at ${integer}, created_at ${integer} not null)`,
      `create table subject_usage (
        subject ${key} not null, month ${key} not null, requests ${integer} not null, ingress_bytes ${integer} not null,
        egress_bytes ${integer} not null, primary key (subject, month))`,
      `create index subject_usage_months on subject_usage (month, subject)`,
      // What was warned of and is still so, so that a restart does not warn again.
      `create table capacity_warnings (
        subject ${key} not null, meter ${key} not null, percent ${integer} not null, warned_at ${integer} not null,
        primary key (subject, meter))`,
    ]) {
      await db.executeQuery(CompiledQuery.raw(statement));
    }
  },
  async down(db) {
    for (const table of ['capacity_warnings', 'subject_usage', 'quota_books']) {
      await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
    }
  },
};
