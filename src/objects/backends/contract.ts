import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import { bytesInput, bytesOutput, nullable, timeSchema } from '../../kernel/http/schemas.ts';

const closed = { additionalProperties: false };
const name = Type.String({ minLength: 1, maxLength: 100 });
const text = Type.String({ maxLength: 4_096 });
const secretText = Type.String({ maxLength: 16_384 });
const key = Type.String({ minLength: 1, maxLength: 128 });
const few = { maxProperties: 64 };
const labels = Type.Record(Type.String({ minLength: 1, maxLength: 63 }), Type.String({ maxLength: 255 }), {
  maxProperties: 32,
  description: 'For placement, such as a zone or a tier.',
});
/** Values of the store's own columns, which are within 2^53. A union of the serializer knows no bigger integers. */
const nullableBytes = nullable(Type.Integer({ format: 'int64', description: 'A whole number of bytes.' }));
const position = Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Order of filling for `pack`.' });
const bytesLimit = Type.Optional(nullable(bytesInput));
const limits = {
  quota_bytes: bytesLimit,
  object_bytes_max: bytesLimit,
  month_requests_max: bytesLimit,
  month_ingress_bytes_max: bytesLimit,
  month_egress_bytes_max: bytesLimit,
};
const skipTest = Type.Optional(
  Type.Boolean({ description: 'Without writing, reading and deleting a blob there first.' }),
);

export const objectBackendSchema = Type.Object({
  name: Type.String(),
  kind: Type.String(),
  state: Type.Enum(['active', 'draining', 'migrating', 'purging']),
  problem: nullable(Type.String({ description: 'Why it could not be opened.' })),
  config: Type.Record(Type.String(), Type.String()),
  secrets: Type.Array(Type.String(), { description: 'The names of its secrets; their values are never shown.' }),
  labels: Type.Record(Type.String(), Type.String()),
  position: Type.Integer(),
  quota_bytes: nullableBytes,
  object_bytes_max: nullableBytes,
  used_bytes: Type.Unsafe<bigint>({
    ...bytesOutput,
    description: 'All that may stand there: copies, writes under way and what waits for deletion.',
  }),
  orphan_bytes: Type.Unsafe<bigint>({ ...bytesOutput, description: 'Of these, what waits for deletion.' }),
  claimed_bytes: Type.Unsafe<bigint>({ ...bytesOutput, description: 'Of these, what writes under way have claimed.' }),
  copies: Type.Object({
    count: Type.Integer(),
    is_exact: Type.Boolean({ description: '`false`: there are more than that.' }),
  }),
  usage: Type.Object({
    month: Type.String({ description: 'UTC.', examples: ['2026-11'] }),
    requests: Type.Integer(),
    ingress_bytes: bytesOutput,
    egress_bytes: bytesOutput,
    requests_max: nullable(Type.Integer()),
    ingress_bytes_max: nullableBytes,
    egress_bytes_max: nullableBytes,
    over: Type.Array(Type.Enum(['requests', 'ingress', 'egress']), { description: 'Limits that are reached.' }),
  }),
  breaker: Type.Object({
    state: Type.Enum(['closed', 'open', 'half_open']),
    reason: nullable(Type.String({ description: 'The fault that opened it.' })),
    retry_after_ms: Type.Integer(),
  }),
  latency_ms: Type.Number({ description: 'Smoothed time to the first byte.' }),
  health: Type.Object({
    status: Type.Enum(['healthy', 'unhealthy']),
    detail: Type.String(),
    free_bytes: nullableBytes,
    total_bytes: nullableBytes,
    checked_at: timeSchema,
  }),
  drain: nullable(
    Type.Object({
      started_at: timeSchema,
      completed_at: nullable(timeSchema),
      bytes_left: Type.Integer({ format: 'int64', description: 'With what waits for deletion.' }),
      bytes_per_second: nullable(Type.Integer()),
      seconds_left: nullable(Type.Integer({ description: 'At this rate.' })),
      blocked: Type.Array(Type.Object({ reason: Type.String(), count: Type.Integer() }), {
        description: 'Why copies have nowhere to go, and how many of the first ones.',
      }),
    }),
  ),
  version: Type.Integer(),
  created_at: timeSchema,
  updated_at: timeSchema,
});

export const probeSchema = Type.Object({
  name: Type.String(),
  ok: Type.Boolean(),
  detail: nullable(Type.String({ description: 'What the backend says of itself.' })),
  steps: Type.Array(
    Type.Object({
      step: Type.Enum(['health', 'write', 'read', 'list', 'delete']),
      ok: Type.Boolean(),
      took_ms: Type.Number(),
      error: nullable(Type.String()),
    }),
  ),
});

const params = Type.Object({ backend: name });
const changing = { tag: 'backends', role: 'admin', status: 200, params, reply: objectBackendSchema } as const;

/** The API of the places where objects stand. */
export const objectBackendContract = {
  listObjectBackends: endpoint({
    id: 'list_backends',
    method: 'GET',
    path: '/api/v1/backends',
    summary: 'Where objects stand: each place with its space, usage, breaker and health',
    tag: 'backends',
    role: 'viewer',
    status: 200,
    reply: Type.Object({ items: Type.Array(objectBackendSchema) }),
  }),
  addObjectBackend: endpoint({
    id: 'add_backend',
    method: 'POST',
    path: '/api/v1/backends',
    summary: 'Adds a place, once a blob was written, read and deleted there',
    tag: 'backends',
    role: 'admin',
    status: 201,
    body: Type.Object(
      {
        name,
        kind: name,
        config: Type.Optional(Type.Record(key, text, few)),
        secrets: Type.Optional(Type.Record(key, secretText, few)),
        labels: Type.Optional(labels),
        position: Type.Optional(position),
        ...limits,
        skip_test: skipTest,
      },
      closed,
    ),
    reply: objectBackendSchema,
  }),
  getObjectBackend: endpoint({
    id: 'get_backend',
    method: 'GET',
    path: '/api/v1/backends/{backend}',
    summary: 'One place',
    tag: 'backends',
    role: 'viewer',
    status: 200,
    params,
    reply: objectBackendSchema,
  }),
  changeObjectBackend: endpoint({
    ...changing,
    id: 'change_backend',
    method: 'PUT',
    path: '/api/v1/backends/{backend}',
    summary: 'Changes what is given; in `config` and `secrets`, `null` takes a value away',
    body: Type.Object(
      {
        version: Type.Optional(Type.Integer({ minimum: 1, description: 'Only if it is this one now.' })),
        config: Type.Optional(Type.Record(key, nullable(text), few)),
        secrets: Type.Optional(Type.Record(key, nullable(secretText), few)),
        labels: Type.Optional(labels),
        position: Type.Optional(position),
        ...limits,
        skip_test: skipTest,
        force: Type.Optional(
          Type.Boolean({ description: 'Also when copies that stand there are not found with the new settings.' }),
        ),
      },
      closed,
    ),
  }),
  removeObjectBackend: endpoint({
    id: 'remove_backend',
    method: 'DELETE',
    path: '/api/v1/backends/{backend}',
    summary: 'Forgets a place where nothing stands any more, or one that is lost for good with all that stood there',
    tag: 'backends',
    role: 'admin',
    status: 204,
    params,
    query: Type.Object(
      {
        purge: Type.Optional(Type.Boolean({ description: 'Also when copies stand there, which are forgotten.' })),
        confirm: Type.Optional(
          Type.String({
            maxLength: 4_096,
            description: 'What the refusal of a purge without it gave; it holds for a minute, and for just that loss.',
          }),
        ),
      },
      closed,
    ),
    reply: Type.Null(),
  }),
  drainObjectBackend: endpoint({
    ...changing,
    id: 'drain_backend',
    method: 'POST',
    path: '/api/v1/backends/{backend}/drain',
    summary: 'Lets a place take nothing new',
    body: Type.Object({}, closed),
  }),
  undrainObjectBackend: endpoint({
    ...changing,
    id: 'undrain_backend',
    method: 'DELETE',
    path: '/api/v1/backends/{backend}/drain',
    summary: 'Lets a place take new objects again',
  }),
  testObjectBackend: endpoint({
    id: 'test_backend',
    method: 'POST',
    path: '/api/v1/backends/{backend}/test',
    summary: 'Writes, reads, lists and deletes a blob there, and tells how long it took or what failed',
    tag: 'backends',
    role: 'admin',
    status: 200,
    params,
    body: Type.Object({}, closed),
    reply: probeSchema,
  }),
};
