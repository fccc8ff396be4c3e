/** Buckets and what they demand of their objects; pure. */

/** When a write is acknowledged: with the first copy, with more than half of them, or with all. */
export const durabilities = ['one', 'quorum', 'all'] as const;
export type Durability = (typeof durabilities)[number];

/** `pack` fills backends in their order, `spread` prefers the one with most room. */
export const placements = ['pack', 'spread'] as const;
export type Placement = (typeof placements)[number];

export type Versioning = 'off' | 'enabled' | 'suspended';

export interface LockRule {
  readonly mode: RetentionMode;
  readonly days?: number;
  readonly years?: number;
}

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE';

export interface CorsRule {
  readonly id?: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly string[];
  readonly allowedHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** Who is told of what happens to which objects of a bucket. */
export interface NotificationRule {
  readonly id: string;
  /** What kind of destination the client named; for us all are targets. */
  readonly kind: 'Topic' | 'Queue' | 'CloudFunction';
  /** As the client named it; its last part is the target. */
  readonly arn: string;
  readonly target: string;
  /** Such as `s3:ObjectCreated:*` or `s3:ObjectRemoved:Delete`. */
  readonly events: readonly string[];
  readonly prefix?: string;
  readonly suffix?: string;
}
export type BucketEncryption =
  | { readonly kind: 'aes256' }
  /** By a root key that is named; `null`: by the one that is current. */
  | { readonly kind: 'kms'; readonly keyId: string | null };

export const compressions = ['none', 'zstd'] as const;
export type Compression = (typeof compressions)[number];

/** All that can be set on a bucket. Absent is the default. */
export interface BucketSettings {
  /** How many copies each object has, on as many backends. */
  readonly copies: number;
  readonly durability: Durability;
  readonly placement: Placement;
  /** Labels that a backend must carry to hold this bucket's objects. */
  readonly requiredLabels: Readonly<Record<string, string>>;
  /** The label whose values are failure domains: no two copies share one while there is a choice. */
  readonly failureDomain: string | null;
  readonly versioning: Versioning;
  readonly isLockEnabled: boolean;
  readonly lockRule?: LockRule | null;
  readonly cors?: readonly CorsRule[];
  /** A bucket policy, as its JSON text. */
  readonly policy?: string;
  /** A lifecycle configuration, as its XML text. */
  readonly lifecycle?: string;
  readonly notifications?: readonly NotificationRule[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly isAccessBlocked?: boolean;
  /** How objects are encrypted for which nothing else is asked; absent: not at all. */
  readonly encryption?: BucketEncryption | null;
  /** Whether objects are compressed, where they shrink. */
  readonly compression?: Compression;
  /** What each gateway lets pass in a second for this bucket; absent or `null`: what it lets pass for any. */
  readonly requestsPerSecond?: number | null;
  /** Bytes of bodies, both ways; absent or `null`: without a limit. */
  readonly bytesPerSecond?: number | null;
}

export interface Bucket {
  readonly name: string;
  /** The user that made it. */
  readonly owner: string;
  readonly settings: BucketSettings;
  readonly version: number;
  readonly createdAtMs: number;
}

export const defaultBucketSettings: BucketSettings = {
  copies: 1,
  durability: 'all',
  placement: 'pack',
  requiredLabels: {},
  failureDomain: null,
  versioning: 'off',
  isLockEnabled: false,
};

/** How many copies must stand before a write is acknowledged. */
export function copiesBeforeAck(settings: Pick<BucketSettings, 'copies' | 'durability'>): number {
  if (settings.durability === 'one') return 1;
  return settings.durability === 'all' ? settings.copies : Math.floor(settings.copies / 2) + 1;
}

/** The rates that a bucket has of its own; `null` where it has none. */
export function bucketRatesOf({ requestsPerSecond = null, bytesPerSecond = null }: BucketSettings) {
  return requestsPerSecond === null && bytesPerSecond === null ? null : { requestsPerSecond, bytesPerSecond };
}
