import Type from 'typebox';
import { endpoint } from '../kernel/http/contract.ts';
import { idSchema, nullable, timeSchema } from '../kernel/http/schemas.ts';
import { hostStates } from './host.ts';

const closed = { additionalProperties: false };
const name = Type.String({ minLength: 1, maxLength: 253 });
const json = Type.Unknown();
const sections = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), json, { maxProperties: 100 });

export const hostSchema = Type.Object({
  id: idSchema,
  name: Type.String(),
  state: Type.Enum([...hostStates], {
    description: '`slow`: not heard for a while. `dead`: not heard for so long that nothing waits for it.',
  }),
  address: Type.String({ description: 'Where its exports are reached.' }),
  version: Type.String(),
  capabilities: Type.Record(Type.String(), Type.Unknown()),
  epoch: Type.Integer({ description: 'Grows with each registration of an agent.' }),
  created_at: timeSchema,
  last_heard_at: timeSchema,
  silent_ms: Type.Integer({ description: 'Since it was last heard.' }),
});

const host = Type.Object({ host: Type.String({ minLength: 1, maxLength: 300, description: 'Id or name.' }) });
const session = Type.String({ minLength: 1, maxLength: 200 });
const failure = Type.Object(
  {
    kind: Type.String({ maxLength: 100 }),
    message: Type.String({ maxLength: 10_000 }),
    details: Type.Optional(Type.Record(Type.String(), json)),
  },
  closed,
);
const agent = { tag: 'agents', role: 'operator', method: 'POST' } as const;

/** One section of a report at its largest: 4,096 devices, or as many exports, at less than 4 KiB each. */
export const reportBytesMax = 16 * 1_048_576;

export const hostContract = {
  listHosts: endpoint({
    id: 'list_hosts',
    tag: 'hosts',
    role: 'viewer',
    method: 'GET',
    path: '/api/v1/hosts',
    summary: 'Machines with an agent, by name',
    status: 200,
    reply: Type.Object({ items: Type.Array(hostSchema) }),
  }),
  getHost: endpoint({
    id: 'get_host',
    tag: 'hosts',
    role: 'viewer',
    method: 'GET',
    path: '/api/v1/hosts/{host}',
    summary: 'One host',
    params: host,
    status: 200,
    reply: hostSchema,
  }),
  registerHost: endpoint({
    ...agent,
    id: 'register_host',
    path: '/api/v1/hosts/register',
    summary: 'An agent begins to speak for its host',
    body: Type.Object(
      {
        name,
        instance: Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$', description: 'Of this run of the agent.' }),
        address: Type.String({ minLength: 1, maxLength: 253 }),
        version: Type.String({ maxLength: 100 }),
        capabilities: sections,
      },
      closed,
    ),
    status: 200,
    reply: Type.Object({ host_id: idSchema, session: Type.String(), heartbeat_ms: Type.Number() }),
  }),
  takeHostWork: endpoint({
    ...agent,
    id: 'take_host_work',
    path: '/api/v1/hosts/{host}/take',
    summary: 'Work for a host, as soon as there is some; asking is the heartbeat',
    params: host,
    body: Type.Object({ session, known: Type.Array(idSchema, { maxItems: 1000 }) }, closed),
    status: 200,
    reply: Type.Object({
      work: Type.Array(
        Type.Object({
          id: idSchema,
          resource: Type.String(),
          kind: Type.String(),
          fence: Type.Integer(),
          input: json,
          secret: nullable(Type.String()),
          timeout_ms: Type.Number(),
        }),
      ),
      wanted: sections,
    }),
  }),
  reportHost: endpoint({
    ...agent,
    id: 'report_host',
    path: '/api/v1/hosts/{host}/report',
    bodyBytesMax: reportBytesMax,
    summary: 'How work ended, and what the host sees',
    params: host,
    body: Type.Object(
      {
        session,
        results: Type.Array(Type.Object({ id: idSchema, output: json, error: nullable(failure) }, closed), {
          maxItems: 1000,
        }),
        reports: Type.Array(Type.Object({ section: name, data: json }, closed), { maxItems: 100 }),
      },
      closed,
    ),
    status: 200,
    reply: Type.Object({}),
  }),
  releaseHost: endpoint({
    ...agent,
    id: 'release_host',
    path: '/api/v1/hosts/{host}/release',
    summary: 'An agent stops in order',
    params: host,
    body: Type.Object({ session }, closed),
    status: 200,
    reply: Type.Object({}),
  }),
};
