import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import {
  bytesInput,
  countedBytes,
  idSchema,
  nullable,
  pageOf,
  pageQuery,
  timeSchema,
} from '../../kernel/http/schemas.ts';
import { capacityMeters } from './standings.ts';

const closed = { additionalProperties: false };
const tag = 'quotas';
const count = nullable(Type.Integer());
const size = nullable(countedBytes);
const limit = Type.Optional(nullable(bytesInput));
const params = Type.Object({
  subject: Type.String({
    minLength: 6,
    maxLength: 120,
    description: '`bucket:NAME`, or `user:` with an id or a name.',
  }),
});

export const quotaSchema = Type.Object({
  subject: idSchema,
  user_name: nullable(Type.String()),
  bytes_max: size,
  objects_max: count,
  month_requests_max: count,
  month_ingress_bytes_max: size,
  month_egress_bytes_max: size,
  used_bytes: countedBytes,
  used_objects: Type.Integer(),
  counted_at: nullable(Type.String({ ...timeSchema, description: '`null`: being counted, and exact in a moment.' })),
  created_at: timeSchema,
});

const usageSchema = Type.Object({
  subject: Type.String({ examples: ['backend:disk1', 'bucket:photos', 'user:usr-0199'] }),
  user_name: nullable(Type.String()),
  meters: Type.Array(
    Type.Object({
      meter: Type.Enum([...capacityMeters]),
      used: nullable(Type.Integer({ format: 'int64', description: '`null`: counted only where there is a limit.' })),
      maximum: nullable(Type.Integer({ format: 'int64' })),
      share: nullable(Type.Number({ description: 'Of the limit.' })),
    }),
  ),
});

/** Limits of buckets and users, and what everybody uses. */
export const quotaContract = {
  usage: endpoint({
    id: 'get_usage',
    method: 'GET',
    path: '/api/v1/usage',
    summary: 'What backends, buckets and users have and used this month, with their limits',
    tag,
    role: 'viewer',
    status: 200,
    query: Type.Object(pageQuery, closed),
    reply: Type.Object({
      month: Type.String({ description: 'UTC.', examples: ['2026-11'] }),
      ...pageOf(usageSchema).properties,
    }),
  }),
  listQuotas: endpoint({
    id: 'list_quotas',
    method: 'GET',
    path: '/api/v1/quotas',
    summary: 'Buckets and users with limits',
    tag,
    role: 'viewer',
    status: 200,
    query: Type.Object(pageQuery, closed),
    reply: pageOf(quotaSchema),
  }),
  getQuota: endpoint({
    id: 'get_quota',
    method: 'GET',
    path: '/api/v1/quotas/{subject}',
    summary: 'The limits of a bucket or user, and what it has',
    tag,
    role: 'viewer',
    status: 200,
    params,
    reply: quotaSchema,
  }),
  setQuota: endpoint({
    id: 'set_quota',
    method: 'PUT',
    path: '/api/v1/quotas/{subject}',
    summary: 'Sets limits of a bucket or user; absent ones stay as they are, `null` takes one away',
    tag,
    role: 'admin',
    status: 200,
    params,
    body: Type.Object(
      {
        bytes_max: limit,
        objects_max: limit,
        month_requests_max: limit,
        month_ingress_bytes_max: limit,
        month_egress_bytes_max: limit,
      },
      closed,
    ),
    reply: quotaSchema,
  }),
  removeQuota: endpoint({
    id: 'remove_quota',
    method: 'DELETE',
    path: '/api/v1/quotas/{subject}',
    summary: 'Takes all limits of a bucket or user away',
    tag,
    role: 'admin',
    status: 204,
    params,
    reply: Type.Null(),
  }),
};
