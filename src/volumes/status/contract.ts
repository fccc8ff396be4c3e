import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import { nullable, timeSchema } from '../../kernel/http/schemas.ts';

const partStatus = Type.Enum(['healthy', 'unhealthy', 'disabled']);
const count = (description: string) => Type.Integer({ description });
const counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description });

const queueSchema = Type.Object({
  pending: count('Operations in line for their resource.'),
  executing: count('Operations under way, on every server.'),
  oldest_created_at: nullable(timeSchema),
});

const issueSchema = Type.Object({
  type: Type.String({ description: 'Such as `stale_operations`.' }),
  count: Type.Integer(),
  detail: Type.String(),
});

const healthSchema = Type.Object({
  status: Type.Enum(['healthy', 'degraded', 'unhealthy'], {
    description: '`unhealthy` without the database; `degraded` when another part that is configured does not work.',
  }),
  timestamp: timeSchema,
  version: Type.String(),
  uptime_seconds: Type.Integer(),
  database_health: partStatus,
  backend_health: Type.Enum(['healthy', 'unhealthy'], { description: 'Of the backend that new volumes are made on.' }),
  cloudstack_health: partStatus,
  device_monitor: partStatus,
  operation_queue: nullable(queueSchema),
  issues: Type.Array(issueSchema, { description: 'What somebody should look at; empty when nothing is.' }),
  details: Type.Record(Type.String(), Type.String(), { description: 'What each part says of itself, in a sentence.' }),
});

const metricsSchema = Type.Object({
  timestamp: timeSchema,
  uptime_seconds: count('Of this server.'),
  window_seconds: count('How far back ended operations are counted.'),
  total_operations: count(
    'Operations that are open, and those that ended within the window: the newest 100,000 at most.',
  ),
  operations_by_type: counts('The same, by type.'),
  operations_by_status: counts('The same, by status; every status is there.'),
  pending_operations: Type.Integer(),
  executing_operations: Type.Integer(),
  error_rate_percent: Type.Number({
    description: 'Failed operations of those that ended in the window, without cancelled ones; 0 when none ended.',
  }),
  average_operation_time_ms: Type.Number({
    description: 'From acceptance to completion, of those that completed in the window; 0 when none did.',
  }),
  total_responses: count('Answers of this server since it started, without streams and the bytes of objects.'),
  average_response_time_ms: Type.Number({ description: 'Of these answers; 0 when there was none.' }),
  active_volumes: count('Volumes that are not deleted.'),
  volumes_by_state: counts('The same, by state.'),
  volumes_by_backend: counts('The same, by backend.'),
  volumes_in_trash: Type.Integer(),
  active_attachments: count('Attachments that hold a volume, or are about to.'),
});

const reading = { tag: 'server', method: 'GET', role: 'viewer', status: 200 } as const;

/** The state of the server as JSON, for those who drive volumes by the API; `/healthz` and `/metrics` are for machines. */
export const statusContract = {
  getHealth: endpoint({
    ...reading,
    id: 'get_health',
    path: '/api/v1/health',
    summary: 'Whether the database, the backends and the device monitor work, asked now; 503 when unhealthy',
    reply: healthSchema,
  }),
  getMetrics: endpoint({
    ...reading,
    id: 'get_metrics',
    path: '/api/v1/metrics',
    summary: 'Counts of operations, answers and volumes, read now from the store and from this server',
    reply: metricsSchema,
  }),
};
