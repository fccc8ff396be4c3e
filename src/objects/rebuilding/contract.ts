import Type from 'typebox';
import { endpoint } from '../../kernel/http/contract.ts';
import { nullable, timeSchema } from '../../kernel/http/schemas.ts';

const closed = { additionalProperties: false };
const tag = 'gateway';

const reportSchema = Type.Object({
  backup_as_of: nullable(timeSchema),
  has_backup: Type.Boolean({ description: 'Whether a backup of the ledger was found.' }),
  blobs: Type.Integer(),
  buckets: Type.Integer(),
  keys: Type.Integer(),
  versions: Type.Integer(),
  copies: Type.Integer(),
  uploads: Type.Integer({ description: 'Uploads in parts that are open again.' }),
  settings: Type.Record(Type.String(), Type.Integer(), {
    description: 'What was entered of users, access_keys, grants, quotas, notification_targets and subscriptions.',
  }),
  standing: Type.Integer({ description: 'Keys that were in the ledger already, and left as they are.' }),
  superseded: Type.Integer({ description: 'Blobs of what was deleted or overwritten; queued for deletion.' }),
  lost: Type.Integer({ description: 'Versions of which not all bytes stand anywhere.' }),
  doubtful: Type.Integer({ description: 'Versions newer than the backup; what was deleted since then is back.' }),
  unknown: Type.Integer({ description: 'Blobs that are not taken for anything.' }),
  findings: Type.Array(Type.Object({ kind: Type.String(), detail: Type.String() })),
  is_truncated: Type.Boolean(),
});

const rebuildSchema = Type.Object({
  id: Type.String(),
  state: Type.Enum(['running', 'done', 'failed']),
  dry_run: Type.Boolean(),
  missing: Type.Boolean(),
  report: nullable(reportSchema),
  error: nullable(Type.String()),
  created_at: timeSchema,
  finished_at: nullable(timeSchema),
});

/** The API of rebuilding the ledger. */
export const rebuildContract = {
  rebuildGateway: endpoint({
    id: 'rebuild_gateway',
    method: 'POST',
    path: '/api/v1/gateway/rebuild',
    summary: 'Rebuilds the ledger of objects from what stands on the backends',
    tag,
    role: 'admin',
    status: 202,
    body: Type.Object(
      {
        missing: Type.Optional(
          Type.Boolean({
            description: 'Enters keys that the ledger does not have, and leaves all others as they are.',
          }),
        ),
        dry_run: Type.Optional(
          Type.Boolean({
            description: 'Only tells what would be entered; encryption keys are taken over all the same.',
          }),
        ),
        accept_loss: Type.Optional(
          Type.Boolean({ description: 'Gives up what is lost, so that the backup that tells of it may go.' }),
        ),
        backends: Type.Optional(
          Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
            maxItems: 1_000,
            description: 'Only from these; absent: from all.',
          }),
        ),
      },
      closed,
    ),
    reply: rebuildSchema,
  }),
  rebuildStatus: endpoint({
    id: 'rebuild_status',
    method: 'GET',
    path: '/api/v1/gateway/rebuild',
    summary: 'The rebuild under way, or the last one',
    tag,
    role: 'viewer',
    status: 200,
    reply: Type.Object({ rebuild: nullable(rebuildSchema) }),
  }),
};
