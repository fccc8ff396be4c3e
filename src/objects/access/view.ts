import type { Static } from 'typebox';
import { isoTime, isoTimeOrNull } from '../../kernel/operations/view.ts';
import type { grantSchema, keySchema, userSchema } from './contract.ts';
import type { Grant, KeyRecord, UserRecord } from './queries.ts';

/** A user as the API writes it. */
export function userView({ id, name, isAdmin, createdAtMs }: UserRecord): Static<typeof userSchema> {
  return { id, name, is_admin: isAdmin, created_at: isoTime(createdAtMs) };
}

export function grantView({ bucket, permissions }: Grant): Static<typeof grantSchema> {
  return { bucket, permissions: [...permissions] };
}

export function keyView(key: KeyRecord): Static<typeof keySchema> {
  return {
    access_key: key.accessKey,
    user_id: key.userId,
    user_name: key.userName,
    label: key.label,
    created_at: isoTime(key.createdAtMs),
    revoked_at: isoTimeOrNull(key.revokedAtMs),
    last_used_at: isoTimeOrNull(key.lastUsedAtMs),
  };
}
