import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import { idSchema, nullable, pageOf, pageQuery, timeSchema } from '../../kernel/http/schemas.ts';
import { permissions } from './access.ts';

const tag = 'access';
const closed = { additionalProperties: false };
/** Who may use the objects is for admins alone, reading included. */
const ofAdmins = { tag, role: 'admin' } as const;

const permissionsSchema = Type.Array(Type.Enum([...permissions]), { maxItems: permissions.length });
const userName = Type.String({ minLength: 1, maxLength: 100 });
const bucketName = Type.String({ minLength: 1, maxLength: 63, description: 'A bucket, or `*` for every other one.' });
const user = Type.Object({ user: Type.String({ minLength: 1, maxLength: 100, description: 'Id or name.' }) });

export const userSchema = Type.Object({
  id: idSchema,
  name: Type.String(),
  is_admin: Type.Boolean({ description: 'May do in every bucket what its owner may.' }),
  created_at: timeSchema,
});

export const grantSchema = Type.Object({ bucket: Type.String(), permissions: permissionsSchema });

const keyFields = {
  access_key: Type.String(),
  user_id: idSchema,
  user_name: Type.String(),
  label: Type.String(),
  created_at: timeSchema,
  revoked_at: nullable(timeSchema),
  last_used_at: nullable(timeSchema),
};
export const keySchema = Type.Object(keyFields);
export const newKeySchema = Type.Object({
  ...keyFields,
  secret: Type.String({ description: 'The secret access key. It is told here and never again.' }),
});

export const accessContract = {
  createUser: endpoint({
    ...ofAdmins,
    id: 'create_user',
    method: 'POST',
    path: '/api/v1/users',
    summary: 'Makes a user of the S3 endpoint',
    status: 201,
    body: Type.Object({ name: userName, is_admin: Type.Optional(Type.Boolean()) }, closed),
    reply: userSchema,
  }),
  listUsers: endpoint({
    ...ofAdmins,
    id: 'list_users',
    method: 'GET',
    path: '/api/v1/users',
    summary: 'Users of the S3 endpoint, oldest first',
    status: 200,
    query: Type.Object(pageQuery, closed),
    reply: pageOf(userSchema),
  }),
  getUser: endpoint({
    ...ofAdmins,
    id: 'get_user',
    method: 'GET',
    path: '/api/v1/users/{user}',
    summary: 'One user',
    status: 200,
    params: user,
    reply: userSchema,
  }),
  listGrants: endpoint({
    ...ofAdmins,
    id: 'list_grants',
    method: 'GET',
    path: '/api/v1/users/{user}/grants',
    summary: 'What a user may do, by bucket',
    status: 200,
    params: user,
    reply: Type.Object({ items: Type.Array(grantSchema) }),
  }),
  setGrant: endpoint({
    ...ofAdmins,
    id: 'set_grant',
    method: 'PUT',
    path: '/api/v1/users/{user}/grants',
    summary: 'Sets what a user may do in a bucket; a grant on a bucket replaces the one on `*` there',
    status: 200,
    params: user,
    body: Type.Object({ bucket: bucketName, permissions: permissionsSchema }, closed),
    reply: grantSchema,
  }),
  removeGrant: endpoint({
    ...ofAdmins,
    id: 'remove_grant',
    method: 'DELETE',
    path: '/api/v1/users/{user}/grants/{bucket}',
    summary: 'Takes a grant back',
    status: 204,
    params: Type.Object({ ...user.properties, bucket: bucketName }),
    reply: Type.Null(),
  }),
  createKey: endpoint({
    ...ofAdmins,
    id: 'create_key',
    method: 'POST',
    path: '/api/v1/keys',
    summary: 'Makes an access key, with a user and a grant where these are wanted',
    status: 201,
    body: Type.Object(
      {
        user: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 100,
            description: 'Id or name. Without it, a user named by the label, or `default`.',
          }),
        ),
        label: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
        bucket: Type.Optional(bucketName),
        permissions: Type.Optional(permissionsSchema),
      },
      closed,
    ),
    reply: newKeySchema,
  }),
  listKeys: endpoint({
    ...ofAdmins,
    id: 'list_keys',
    method: 'GET',
    path: '/api/v1/keys',
    summary: 'Access keys without their secrets, oldest first; revoked ones too',
    status: 200,
    query: Type.Object(
      { user: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Id or name.' })), ...pageQuery },
      closed,
    ),
    reply: pageOf(keySchema),
  }),
  revokeKey: endpoint({
    ...ofAdmins,
    id: 'revoke_key',
    method: 'DELETE',
    path: '/api/v1/keys/{key}',
    summary: 'Ends an access key',
    status: 204,
    params: Type.Object({ key: Type.String({ minLength: 1, maxLength: 100 }) }),
    reply: Type.Null(),
  }),
};
