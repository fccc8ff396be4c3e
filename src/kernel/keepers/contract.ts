import Type from 'typebox';
import { endpoint } from '../http/contract.ts';
import { nullable, timeSchema } from '../http/schemas.ts';

const keeperSchema = Type.Object({
  name: Type.String(),
  summary: Type.String(),
  period_ms: Type.Integer(),
  running: Type.Boolean(),
  runs: Type.Integer(),
  last_started_at: nullable(timeSchema),
  last_finished_at: nullable(timeSchema),
  last_success_at: nullable(timeSchema),
  last_result: nullable(Type.String()),
  last_error: nullable(Type.String()),
});

export const keeperContract = {
  listKeepers: endpoint({
    id: 'list_keepers',
    method: 'GET',
    path: '/api/v1/keepers',
    summary: 'The background reconcilers: when they ran, what they did, what went wrong',
    tag: 'keepers',
    role: 'viewer',
    status: 200,
    reply: Type.Object({ items: Type.Array(keeperSchema) }),
  }),
  runKeeper: endpoint({
    id: 'run_keeper',
    method: 'POST',
    path: '/api/v1/keepers/{name}/run',
    summary: 'Asks a keeper to run now',
    tag: 'keepers',
    role: 'operator',
    params: Type.Object({ name: Type.String({ maxLength: 100 }) }),
    body: Type.Object({}, { additionalProperties: false }),
    status: 202,
    reply: Type.Object({ name: Type.String() }),
  }),
};
