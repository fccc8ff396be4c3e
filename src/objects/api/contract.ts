import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import { bytesOutput, nullable, pageOf, pageQuery, timeSchema } from '../../kernel/http/schemas.ts';
import { compressions, durabilities, placements } from '../bucket.ts';

const tag = 'objects';
const closed = { additionalProperties: false };
const bucketName = Type.String({ minLength: 1, maxLength: 255 });
const bucketParams = Type.Object({ bucket: bucketName });
/** The key is read from the address as it came, since the router would take it apart. */
const objectParams = Type.Object({ bucket: bucketName });
const labels = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.String({ maxLength: 200 }), {
  maxProperties: 20,
});

const bucketWishes = {
  copies: Type.Optional(Type.Integer({ minimum: 1, maximum: 16, description: 'Copies of each object.' })),
  durability: Type.Optional(
    Type.Enum([...durabilities], { description: 'How many copies must stand before a write is acknowledged.' }),
  ),
  placement: Type.Optional(Type.Enum([...placements])),
  required_labels: Type.Optional(labels),
  failure_domain: Type.Optional(nullable(Type.String({ maxLength: 100, description: 'A label of backends.' }))),
  versioning: Type.Optional(Type.Enum(['enabled', 'suspended'])),
  encryption: Type.Optional(
    nullable(
      Type.Object(
        {
          algorithm: Type.Enum(['AES256', 'aws:kms']),
          key_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'A root key, for aws:kms.' })),
        },
        { ...closed, description: 'How objects are encrypted for which nothing else is asked.' },
      ),
    ),
  ),
  compression: Type.Optional(
    Type.Enum([...compressions], { description: 'Whether objects that shrink are compressed.' }),
  ),
  requests_per_second: Type.Optional(
    nullable(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: 'What each gateway lets pass for this bucket; the rest is told to slow down.',
      }),
    ),
  ),
  bytes_per_second: Type.Optional(
    nullable(
      Type.Integer({ minimum: 1, maximum: 100_000_000_000, description: 'The same of bytes of bodies, both ways.' }),
    ),
  ),
};

export const bucketSchema = Type.Object({
  name: Type.String(),
  owner: Type.String(),
  copies: Type.Integer(),
  durability: Type.Enum([...durabilities]),
  placement: Type.Enum([...placements]),
  required_labels: Type.Record(Type.String(), Type.String()),
  failure_domain: nullable(Type.String()),
  versioning: Type.Enum(['off', 'enabled', 'suspended']),
  object_lock: Type.Boolean(),
  encryption: nullable(Type.Object({ algorithm: Type.Enum(['AES256', 'aws:kms']), key_id: nullable(Type.String()) })),
  compression: Type.Enum([...compressions]),
  requests_per_second: nullable(Type.Integer()),
  bytes_per_second: nullable(Type.Integer()),
  version: Type.Integer(),
  created_at: timeSchema,
});

export const objectSchema = Type.Object({
  bucket: Type.String(),
  key: Type.String(),
  version_id: Type.String(),
  size_bytes: bytesOutput,
  etag: Type.String(),
  content_type: Type.String(),
  metadata: Type.Record(Type.String(), Type.String()),
  storage_class: Type.String({ description: 'STANDARD, or one that the operator has named.' }),
  modified_at: timeSchema,
});

const findingSchema = Type.Object({ kind: Type.String(), detail: Type.String() });
const reading = { tag, role: 'viewer', status: 200 } as const;
const changing = { tag, role: 'operator', status: 200 } as const;
const objectPath = '/api/v1/objects/{bucket}/{key+}';
const versionQuery = Type.Object({ version_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) }, closed);

export const bucketContract = {
  createBucket: endpoint({
    ...changing,
    id: 'create_bucket',
    method: 'POST',
    path: '/api/v1/buckets',
    summary: 'Makes a bucket',
    status: 201,
    body: Type.Object({ name: bucketName, ...bucketWishes, object_lock: Type.Optional(Type.Boolean()) }, closed),
    reply: bucketSchema,
  }),
  listBuckets: endpoint({
    ...reading,
    id: 'list_buckets',
    method: 'GET',
    path: '/api/v1/buckets',
    summary: 'Buckets by name',
    query: Type.Object({ prefix: Type.Optional(Type.String({ maxLength: 63 })), ...pageQuery }, closed),
    reply: pageOf(bucketSchema),
  }),
  getBucket: endpoint({
    ...reading,
    id: 'get_bucket',
    method: 'GET',
    path: '/api/v1/buckets/{bucket}',
    summary: 'One bucket',
    params: bucketParams,
    reply: bucketSchema,
  }),
  changeBucket: endpoint({
    ...changing,
    id: 'change_bucket',
    method: 'PUT',
    path: '/api/v1/buckets/{bucket}',
    summary: 'Changes what a bucket demands; objects written before get their copies in time',
    params: bucketParams,
    body: Type.Object(bucketWishes, closed),
    reply: bucketSchema,
  }),
  deleteBucket: endpoint({
    ...changing,
    id: 'delete_bucket',
    method: 'DELETE',
    path: '/api/v1/buckets/{bucket}',
    summary: 'Removes an empty bucket',
    params: bucketParams,
    reply: Type.Object({ name: Type.String() }),
  }),
};

export const objectContract = {
  listObjects: endpoint({
    ...reading,
    id: 'list_objects',
    method: 'GET',
    path: '/api/v1/objects/{bucket}',
    summary: 'Objects in byte order of their keys; with a delimiter, what lies behind it is told as prefixes',
    params: objectParams,
    query: Type.Object(
      {
        prefix: Type.Optional(Type.String({ maxLength: 1024 })),
        delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
        limit: pageQuery.limit,
        cursor: Type.Optional(Type.String({ maxLength: 6000, description: 'The `next_cursor` of the page before.' })),
      },
      closed,
    ),
    reply: Type.Object({
      items: Type.Array(objectSchema),
      prefixes: Type.Array(Type.String()),
      next_cursor: nullable(Type.String()),
    }),
  }),
  putObject: endpoint({
    ...changing,
    id: 'put_object',
    method: 'PUT',
    path: objectPath,
    summary:
      'Writes an object; `Content-Type`, `X-Meta-…`, `X-Tags` and `X-Storage-Class` headers are kept, `If-Match` and `If-None-Match` decided atomically',
    params: objectParams,
    query: Type.Object({}, closed),
    status: 201,
    reply: objectSchema,
    requestMedia: 'bytes',
  }),
  getObject: endpoint({
    ...reading,
    id: 'get_object',
    method: 'GET',
    path: objectPath,
    summary: 'Reads an object; `Range` and conditions as in RFC 9110',
    params: objectParams,
    query: versionQuery,
    reply: Type.String(),
    media: 'bytes',
    requestMedia: 'bytes',
  }),
  headObject: endpoint({
    ...reading,
    id: 'head_object',
    method: 'HEAD',
    path: objectPath,
    summary: 'What is known of an object, as headers',
    params: objectParams,
    query: versionQuery,
    reply: Type.String(),
    media: 'bytes',
    requestMedia: 'bytes',
  }),
  deleteObject: endpoint({
    ...changing,
    id: 'delete_object',
    method: 'DELETE',
    path: objectPath,
    summary: 'Removes an object; what is not there is removed already',
    params: objectParams,
    query: versionQuery,
    reply: Type.Object({ version_id: nullable(Type.String()), is_delete_marker: Type.Boolean() }),
    requestMedia: 'bytes',
  }),
  presignObject: endpoint({
    ...changing,
    id: 'presign_object',
    method: 'POST',
    path: '/api/v1/objects/{bucket}/{key+}/presign',
    summary: 'An address by which anybody may read or write this object for a while',
    params: objectParams,
    body: Type.Object(
      {
        method: Type.Optional(Type.Enum(['GET', 'PUT', 'HEAD', 'DELETE'])),
        expires_in_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 604_800 })),
      },
      closed,
    ),
    reply: Type.Object({ url: Type.String(), method: Type.String(), expires_at: timeSchema }),
  }),
};

export const gatewayContract = {
  checkGateway: endpoint({
    ...changing,
    id: 'check_gateway',
    method: 'POST',
    path: '/api/v1/gateway/check',
    summary: 'Accounts for every object, copy and byte, and tells what is not as it must be',
    body: Type.Object({ deep: Type.Optional(Type.Boolean({ description: 'Read all bytes too.' })) }, closed),
    reply: Type.Object({
      objects: Type.Integer(),
      copies: Type.Integer(),
      blobs: Type.Integer(),
      owed_copies: Type.Integer(),
      waiting_deletions: Type.Integer(),
      dead_letters: Type.Integer(),
      findings: Type.Array(findingSchema),
      is_truncated: Type.Boolean(),
    }),
  }),
  retryCleanup: endpoint({
    ...changing,
    id: 'retry_cleanup',
    method: 'POST',
    path: '/api/v1/gateway/cleanup/retry',
    summary: 'Tries deletions again that were given up',
    body: Type.Object({ backend: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })) }, closed),
    reply: Type.Object({ requeued: Type.Integer() }),
  }),
};
