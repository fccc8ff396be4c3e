/** Rows of users, keys and grants, as statements give them. Times are integer milliseconds, booleans 0 and 1. */

export interface UserRow {
  id: string;
  name: string;
  is_admin: number;
  version: number;
  created_at: number;
}

export interface AccessKeyRow {
  access_key: string;
  user_id: string;
  sealed_secret: string | null;
  label: string;
  created_at: number;
  revoked_at: number | null;
  last_used_at: number | null;
}

export interface GrantRow {
  user_id: string;
  /** A bucket's name, or `*` for every bucket that has no grant of its own. */
  bucket: string;
  /** Names with commas between them, in the order of `permissions`. */
  permissions: string;
  updated_at: number;
}
