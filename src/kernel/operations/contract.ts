import Type from 'typebox';
import { endpoint } from '../http/contract.ts';
import { errorSchema, idSchema, nullable, pageOf, pageQuery, timeSchema } from '../http/schemas.ts';
import { operationStatuses, stepStatuses } from './operation.ts';

export const stepSchema = Type.Object({
  name: Type.String(),
  status: Type.Enum([...stepStatuses]),
  attempts: Type.Integer(),
  output: Type.Unknown(),
  error: nullable(errorSchema),
  next_attempt_at: nullable(timeSchema),
  started_at: timeSchema,
  finished_at: nullable(timeSchema),
});

export const operationSchema = Type.Object({
  id: idSchema,
  type: Type.String({ description: 'Such as `volume.attach`.' }),
  status: Type.Enum([...operationStatuses]),
  resource: Type.String({ description: 'What it changes, one operation at a time.' }),
  volume_id: nullable(Type.String()),
  input: Type.Unknown(),
  output: Type.Unknown(),
  error: nullable(errorSchema),
  actor: Type.String(),
  cancel_requested: Type.Boolean(),
  takeovers: Type.Integer({ description: 'How often it was resumed after a crash.' }),
  version: Type.Integer(),
  created_at: timeSchema,
  started_at: nullable(timeSchema),
  finished_at: nullable(timeSchema),
  steps: Type.Optional(Type.Array(stepSchema)),
});

/** The answer to whatever takes time. It is the same for a repeated request. */
export const acceptedSchema = Type.Object({
  operation_id: idSchema,
  id: idSchema,
  type: Type.String(),
  status: Type.Literal('pending'),
  resource: Type.String(),
  volume_id: nullable(Type.String()),
  created_at: timeSchema,
});

const tag = 'operations';
const params = Type.Object({ id: idSchema });

export const operationContract = {
  listOperations: endpoint({
    id: 'list_operations',
    method: 'GET',
    path: '/api/v1/operations',
    summary: 'Operations, newest first',
    tag,
    role: 'viewer',
    query: Type.Object(
      {
        type: Type.Optional(Type.String({ maxLength: 100 })),
        status: Type.Optional(Type.Enum([...operationStatuses])),
        volume_id: Type.Optional(Type.String({ maxLength: 200 })),
        ...pageQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    reply: pageOf(operationSchema),
  }),
  getOperation: endpoint({
    id: 'get_operation',
    method: 'GET',
    path: '/api/v1/operations/{id}',
    summary: 'One operation with its steps, attempts and errors',
    tag,
    role: 'viewer',
    params,
    status: 200,
    reply: operationSchema,
  }),
  cancelOperation: endpoint({
    id: 'cancel_operation',
    method: 'POST',
    path: '/api/v1/operations/{id}/cancel',
    summary: 'Asks an operation to end; it settles and cleans up first',
    tag,
    role: 'operator',
    params,
    body: Type.Object({}, { additionalProperties: false }),
    status: 202,
    reply: operationSchema,
  }),
  watchOperation: endpoint({
    id: 'watch_operation',
    method: 'GET',
    path: '/api/v1/operations/{id}/events',
    summary: 'The operation as it changes, until it ends',
    tag,
    role: 'viewer',
    params,
    status: 200,
    reply: operationSchema,
    media: 'sse',
  }),
};
