import type { Bucket } from '../bucket.ts';

/** Somebody with access keys. Users and what they may do are rows; a key belongs to one user. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** What a grant on a bucket allows. */
export const permissions = ['list', 'read', 'write', 'delete', 'tags'] as const;
export type Permission = (typeof permissions)[number];

/** An action in the words of S3 policies, such as `s3:GetObject` (service authorization reference of Amazon S3). */
export type S3Action = `s3:${string}`;

export interface AccessRequest {
  /** `null` for a request without a signature. */
  readonly user: User | null;
  readonly action: S3Action;
  readonly bucket: Bucket | null;
  readonly key: string | null;
  /** For the conditions of policies: the client's address, whether by TLS, the prefix that is listed, … */
  readonly context: Readonly<Record<string, string>>;
}

/** Who may do what on the S3 face. */
export interface Access {
  /** The secret and the user of an access key that is not revoked; `null` for any other. */
  findKey(accessKey: string): Promise<{ readonly user: User; readonly secret: string } | null>;
  /** Throws `AccessDenied` unless ownership, a grant or the bucket's policy allows it, and no policy denies it. */
  authorize(request: AccessRequest): Promise<void>;
  /** Buckets that a user sees in a listing of all. */
  maySee(user: User, bucket: Bucket): Promise<boolean>;
}
