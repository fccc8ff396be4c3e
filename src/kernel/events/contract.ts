import Type from 'typebox';
import { endpoint } from '../http/contract.ts';
import { nullable, pageOf, pageQuery, timeSchema } from '../http/schemas.ts';

export const eventSchema = Type.Object({
  id: Type.Integer(),
  resource: Type.String(),
  seq: Type.Integer({ description: 'Gapless per resource, from 1.' }),
  type: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
  operation_id: nullable(Type.String()),
  actor: Type.String(),
  timestamp: timeSchema,
});

export const eventContract = {
  listEvents: endpoint({
    id: 'list_events',
    method: 'GET',
    path: '/api/v1/events',
    summary:
      'The audit trail, newest first; with `Accept: text/event-stream` or `stream=true`, all events as they come',
    tag: 'events',
    role: 'viewer',
    query: Type.Object(
      {
        resource: Type.Optional(Type.String({ maxLength: 300 })),
        volume_id: Type.Optional(Type.String({ maxLength: 200 })),
        type: Type.Optional(Type.String({ maxLength: 100 })),
        operation_id: Type.Optional(Type.String({ maxLength: 200 })),
        actor: Type.Optional(Type.String({ maxLength: 200 })),
        stream: Type.Optional(Type.Boolean()),
        last_event_id: Type.Optional(Type.Integer({ minimum: 0 })),
        ...pageQuery,
      },
      { additionalProperties: false },
    ),
    status: 200,
    reply: pageOf(eventSchema),
  }),
};
