import { type Clock, systemClock } from '../../kernel/ids.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { Bucket } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { Access, AccessRequest, User } from './access.ts';
import { BucketPolicies } from './bucket-policies.ts';
import { isAccessKey, sealedAbout } from './credentials.ts';
import { type Profile, isAllowed, permissionsOn } from './decide.ts';
import { FreshCache } from './fresh-cache.ts';
import { KeyUses } from './key-uses.ts';
import { findSealedKey, findUser, listGrants } from './queries.ts';
import { accessTopic } from './topic.ts';

export interface StoreAccessOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock?: Clock;
  /** Milliseconds that only grow. */
  readonly monotonicMs?: () => number;
  /** Told of what no caller waits for. */
  readonly onError?: (error: unknown) => void;
}

interface FoundKey {
  readonly user: User;
  readonly secret: string;
}

/**
 * A revoked key ends at once in the process that revoked it and, by the topic, a moment later in the others. A message may
 * be lost, so nothing counts for longer than this without asking the store again.
 */
const freshMs = 1_000;
/** While the store cannot be asked, reads of objects go on with what was known; nothing can be written then anyway. */
const staleMs = 300_000;
const keysMax = 10_000;
const profilesMax = 1_000;

/** Users, keys and grants from the store, and policies from buckets. */
export class StoreAccess implements Access {
  readonly #store: Store;
  readonly #sealer: Sealer;
  readonly #keys: FreshCache<FoundKey>;
  readonly #profiles: FreshCache<Profile>;
  readonly #policies = new BucketPolicies();
  readonly #uses: KeyUses;
  readonly #unsubscribe: () => void;

  constructor(options: StoreAccessOptions) {
    const { store, sealer, clock = systemClock, onError = () => {} } = options;
    const nowMs = options.monotonicMs ?? (() => performance.now());
    this.#store = store;
    this.#sealer = sealer;
    this.#keys = new FreshCache({ entriesMax: keysMax, freshMs, staleMs, nowMs });
    this.#profiles = new FreshCache({ entriesMax: profilesMax, freshMs, staleMs, nowMs });
    this.#uses = new KeyUses(store, clock, onError);
    this.#unsubscribe = store.subscribe(accessTopic, () => {
      this.#keys.clear();
      this.#profiles.clear();
    });
  }

  /**
   * The secret and the user of a key. Throws `unavailable` when the store cannot be asked and nothing is known, and
   * `internal` for a secret that does not open.
   */
  async findKey(accessKey: string): Promise<FoundKey | null> {
    if (!isAccessKey(accessKey)) return null;
    return this.#keys.get(accessKey, async () => {
      const found = await this.#store.read((reader) => findSealedKey(reader, accessKey));
      if (found === null) return null;
      const secret = this.#sealer.open(found.sealedSecret, sealedAbout(accessKey));
      return { user: { id: found.userId, name: found.userName }, secret };
    });
  }

  /** Throws `AccessDenied` unless {@link isAllowed}. */
  async authorize(request: AccessRequest): Promise<void> {
    const { user, bucket } = request;
    const verdict = bucket === null ? 'none' : this.#policies.verdict(bucket, request);
    // Owners are most callers, and nothing has to be read for them.
    if (isAllowed(request, null, verdict)) return;
    if (user !== null && verdict !== 'deny') {
      const profile = await this.#profileOf(user);
      if (profile !== null && isAllowed(request, profile, verdict)) return;
    }
    throw objectError('AccessDenied', { action: request.action });
  }

  async maySee(user: User, bucket: Bucket): Promise<boolean> {
    if (bucket.owner === user.id) return true;
    const profile = await this.#profileOf(user);
    return profile !== null && (profile.isAdmin || permissionsOn(profile, bucket.name).length > 0);
  }

  /** Notes that a request with this key and a right signature came. Not waited for. */
  noteUse(accessKey: string): void {
    this.#uses.note(accessKey);
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#uses.settle();
  }

  #profileOf(user: User): Promise<Profile | null> {
    return this.#profiles.get(user.id, () =>
      this.#store.read(async (reader) => {
        const found = await findUser(reader, user.id);
        if (found === null) return null;
        const grants = await listGrants(reader, found.id);
        return {
          isAdmin: found.isAdmin,
          grants: new Map(grants.map(({ bucket, permissions }) => [bucket, permissions])),
        };
      }),
    );
  }
}
