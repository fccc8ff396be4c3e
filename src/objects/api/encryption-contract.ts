import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import { nullable, timeSchema } from '../../kernel/http/schemas.ts';
import { rewriteActions } from '../rewriting/plan.ts';

const tag = 'objects';
const closed = { additionalProperties: false };
const changing = { tag, role: 'admin', status: 200 } as const;
const path = '/api/v1/encryption';

const rewriteSchema = Type.Object({
  id: Type.String(),
  action: Type.Enum([...rewriteActions]),
  bucket: nullable(Type.String()),
  state: Type.Enum(['running', 'completed', 'cancelled']),
  seen: Type.Integer({ description: 'Contents that were looked at.' }),
  rewritten: Type.Integer(),
  rewritten_bytes: Type.Integer(),
  failed: Type.Integer({ description: 'Contents that stayed as they were; another pass tries them again.' }),
  last_error: nullable(Type.String()),
  created_at: timeSchema,
  finished_at: nullable(timeSchema),
});

export const encryptionContract = {
  getEncryption: endpoint({
    tag,
    role: 'viewer',
    status: 200,
    id: 'get_encryption',
    method: 'GET',
    path,
    summary: 'Root keys, the keys that they wrap, and passes over what stands; never the bytes of a key',
    reply: Type.Object({
      root_keys: Type.Array(Type.Object({ id: Type.String(), origin: Type.String(), is_current: Type.Boolean() })),
      keys: Type.Array(
        Type.Object({ id: Type.String(), root_key_id: Type.String(), state: Type.String(), created_at: timeSchema }),
      ),
      rewrites: Type.Array(rewriteSchema),
    }),
  }),
  rotateEncryption: endpoint({
    ...changing,
    id: 'rotate_encryption',
    method: 'POST',
    path: `${path}/rotate`,
    summary: 'Wraps all keys anew with the current root key and makes a new one; no object is touched',
    body: Type.Object({}, closed),
    reply: Type.Object({ rewrapped: Type.Integer() }),
  }),
  startRewrite: endpoint({
    ...changing,
    id: 'start_rewrite',
    method: 'POST',
    path: `${path}/rewrites`,
    summary: 'Begins to write objects that stand anew: encrypted, decrypted, with new keys, or compressed',
    body: Type.Object(
      {
        action: Type.Enum([...rewriteActions]),
        bucket: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
        dry_run: Type.Optional(Type.Boolean({ description: 'Only say what would be done.' })),
      },
      closed,
    ),
    reply: Type.Object({
      rewrite: nullable(rewriteSchema),
      plan: nullable(
        Type.Object({
          contents: Type.Integer(),
          bytes: Type.Integer(),
          sample: Type.Array(Type.String()),
          is_partial: Type.Boolean(),
        }),
      ),
    }),
  }),
  cancelRewrite: endpoint({
    ...changing,
    id: 'cancel_rewrite',
    method: 'DELETE',
    path: `${path}/rewrites`,
    summary: 'Ends the pass that is under way; what it has written stays',
    reply: Type.Object({ cancelled: Type.Boolean() }),
  }),
};
