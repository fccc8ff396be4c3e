import Type from 'typebox';
import { planSchema } from '../../kernel/keepers/contract.ts';
import { endpoint } from '../../kernel/http/contract.ts';
import { countedBytes, nullable, pageOf, pageQuery, timeSchema } from '../../kernel/http/schemas.ts';
import { objectBackendSchema } from '../backends/contract.ts';
import { storageMigrationStates } from './storage-migration.ts';

const closed = { additionalProperties: false };
const tag = 'migration';
const name = Type.String({ minLength: 1, maxLength: 100 });
const key = Type.String({ minLength: 1, maxLength: 128 });
const few = { maxProperties: 64 };
const config = Type.Record(key, Type.String({ maxLength: 4_096 }), few);
const secrets = Type.Record(key, Type.String({ maxLength: 16_384 }), few);

export const storageMigrationSchema = Type.Object({
  id: Type.String(),
  source: Type.String(),
  target: Type.String(),
  state: Type.Enum([...storageMigrationStates]),
  parallel: Type.Integer(),
  read_back: Type.Boolean(),
  actor: Type.String(),
  total_copies: Type.Integer({ description: 'What stood on the source when it began.' }),
  total_bytes: countedBytes,
  moved_copies: Type.Integer(),
  moved_bytes: countedBytes,
  failures: Type.Integer({
    description: 'Copies that could not be carried yet; it does not switch before there are none.',
  }),
  last_error: nullable(Type.String()),
  bytes_per_second: Type.Integer({ description: 'Since it began.' }),
  seconds_left: nullable(Type.Integer({ description: 'Until it can switch, at that rate.' })),
  created_at: timeSchema,
  switched_at: nullable(timeSchema),
  finished_at: nullable(timeSchema),
});

/** The API of moving everything from one backend to another. */
export const storageMigrationContract = {
  migrate: endpoint({
    id: 'migrate_storage',
    method: 'POST',
    path: '/api/v1/migrate',
    summary: 'Moves everything from one backend to another, or to a new one, while both are used',
    tag,
    role: 'admin',
    status: 202,
    body: Type.Object(
      {
        source: Type.Optional(Type.String({ ...name, description: 'Absent: the only other active one.' })),
        target: Type.Optional(Type.String({ ...name, description: 'A backend that is known.' })),
        driver: Type.Optional(Type.String({ ...name, description: 'The kind of a new backend.' })),
        name: Type.Optional(Type.String({ ...name, description: 'Of the new backend; absent: after its kind.' })),
        config: Type.Optional(config),
        secrets: Type.Optional(secrets),
        parallel: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, default: 8, description: 'Copies at once.' })),
        read_back: Type.Optional(
          Type.Boolean({ default: true, description: 'Reads each copy back from the target before it counts.' }),
        ),
        dry_run: Type.Optional(Type.Boolean({ description: 'Only tell what would move and what that would cost.' })),
      },
      closed,
    ),
    reply: Type.Object({ migration: nullable(storageMigrationSchema), plan: nullable(planSchema) }),
  }),
  migrationStatus: endpoint({
    id: 'migration_status',
    method: 'GET',
    path: '/api/v1/migrate/status',
    summary: 'The migration under way, or the last one',
    tag,
    role: 'viewer',
    status: 200,
    reply: Type.Object({ migration: nullable(storageMigrationSchema) }),
  }),
  migrationFailures: endpoint({
    id: 'migration_failures',
    method: 'GET',
    path: '/api/v1/migrate/failures',
    summary: 'What could not be carried yet, and when it is tried again',
    tag,
    role: 'viewer',
    status: 200,
    query: Type.Object(pageQuery, closed),
    reply: pageOf(
      Type.Object({
        content: Type.String(),
        part: Type.Integer(),
        attempts: Type.Integer(),
        error: Type.String(),
        failed_at: timeSchema,
        due_at: timeSchema,
      }),
    ),
  }),
  retryMigration: endpoint({
    id: 'retry_migration',
    method: 'POST',
    path: '/api/v1/migrate/retry',
    summary: 'Tries what failed again at once',
    tag,
    role: 'admin',
    status: 202,
    body: Type.Object({}, closed),
    reply: Type.Object({ retried: Type.Integer() }),
  }),
  cancelMigration: endpoint({
    id: 'cancel_migration',
    method: 'DELETE',
    path: '/api/v1/migrate',
    summary: 'Gives the migration up before it is switched; nothing is lost on the source',
    tag,
    role: 'admin',
    status: 202,
    reply: Type.Object({ migration: storageMigrationSchema }),
  }),
  changeBackendConfig: endpoint({
    id: 'change_backend_config',
    method: 'PATCH',
    path: '/api/v1/backend-config',
    summary: 'Changes how a backend is reached, without moving anything; the same bytes must be found there',
    tag,
    role: 'admin',
    status: 200,
    body: Type.Object(
      {
        backend: Type.Optional(Type.String({ ...name, description: 'Absent: the only one there is.' })),
        config: Type.Optional(Type.Record(key, nullable(Type.String({ maxLength: 4_096 })), few)),
        secrets: Type.Optional(Type.Record(key, nullable(Type.String({ maxLength: 16_384 })), few)),
      },
      closed,
    ),
    reply: objectBackendSchema,
  }),
};
