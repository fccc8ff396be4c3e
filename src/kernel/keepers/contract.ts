import Type from 'typebox';
import { endpoint } from '../http/contract.ts';
import { countedBytes, nullable, timeSchema } from '../http/schemas.ts';

const keeperSchema = Type.Object({
  name: Type.String(),
  summary: Type.String(),
  period_ms: Type.Integer(),
  has_plan: Type.Boolean({ description: 'Whether it tells what it would do (`dry_run`).' }),
  running: Type.Boolean(),
  progress: nullable(
    Type.Object({ done: Type.Integer(), total: nullable(Type.Integer()), detail: nullable(Type.String()) }),
  ),
  paused: nullable(Type.Object({ at: timeSchema, by: Type.String() })),
  runs: Type.Integer(),
  last_started_at: nullable(timeSchema),
  last_finished_at: nullable(timeSchema),
  last_success_at: nullable(timeSchema),
  last_result: nullable(Type.String()),
  last_error: nullable(Type.String()),
});

export const planSchema = Type.Object({
  summary: Type.String(),
  steps: Type.Array(Type.Object({ action: Type.String(), subject: Type.String(), size_bytes: countedBytes }), {
    description: 'The first ones.',
  }),
  count: Type.Integer({ description: 'How many steps there are.' }),
  is_exact: Type.Boolean({ description: '`false`: there are at least so many.' }),
  size_bytes: countedBytes,
  costs: Type.Array(
    Type.Object({
      place: Type.String(),
      requests: Type.Integer(),
      ingress_bytes: countedBytes,
      egress_bytes: countedBytes,
    }),
    { description: 'What it would use of each place, as providers bill it.' },
  ),
  warnings: Type.Optional(Type.Array(Type.String(), { description: 'What stands in its way, such as limits.' })),
});

const params = Type.Object({ name: Type.String({ maxLength: 100 }) });
const nothing = Type.Object({}, { additionalProperties: false });
const tag = 'keepers';

export const keeperContract = {
  listKeepers: endpoint({
    id: 'list_keepers',
    method: 'GET',
    path: '/api/v1/keepers',
    summary: 'The background reconcilers: when they ran, what they did, what went wrong',
    tag,
    role: 'viewer',
    status: 200,
    reply: Type.Object({ items: Type.Array(keeperSchema) }),
  }),
  runKeeper: endpoint({
    id: 'run_keeper',
    method: 'POST',
    path: '/api/v1/keepers/{name}/run',
    summary: 'Asks a keeper to run now, or what it would do',
    tag,
    role: 'operator',
    params,
    body: Type.Object(
      { dry_run: Type.Optional(Type.Boolean({ description: 'Only tell what it would do and what that would cost.' })) },
      { additionalProperties: false },
    ),
    status: 202,
    reply: Type.Object({ name: Type.String(), plan: nullable(planSchema) }),
  }),
  pauseKeeper: endpoint({
    id: 'pause_keeper',
    method: 'POST',
    path: '/api/v1/keepers/{name}/pause',
    summary: 'Lets a keeper rest on all replicas, until it is resumed',
    tag,
    role: 'operator',
    params,
    body: nothing,
    status: 200,
    reply: Type.Object({ name: Type.String() }),
  }),
  resumeKeeper: endpoint({
    id: 'resume_keeper',
    method: 'DELETE',
    path: '/api/v1/keepers/{name}/pause',
    summary: 'Lets a keeper run again, and at once',
    tag,
    role: 'operator',
    params,
    status: 200,
    reply: Type.Object({ name: Type.String() }),
  }),
};
