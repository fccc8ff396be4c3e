import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { Transaction } from '../../kernel/store/transaction.ts';
import type { Permission } from './access.ts';
import { createKey } from './changing/create-key.ts';
import { createUser } from './changing/create-user.ts';
import { removeGrant, setGrant } from './changing/grants.ts';
import { revokeKey } from './changing/revoke-key.ts';
import { newCredentials, sealedAbout } from './credentials.ts';
import type { Grant, KeyRecord, UserRecord } from './queries.ts';
import { accessTopic } from './topic.ts';

export interface AccessServiceOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly newId: IdSource;
  readonly clock: Clock;
}

/** What a new key is asked to be; see `changing/create-key.ts`. */
export interface WantedKey {
  readonly user: string | null;
  readonly label: string;
  readonly bucket: string | null;
  readonly permissions: readonly Permission[] | null;
}

/** Changes users, keys and grants, and tells whoever keeps something of them. `actor` is who asks. */
export class AccessService {
  readonly #options: AccessServiceOptions;

  constructor(options: AccessServiceOptions) {
    this.#options = options;
  }

  async createUser(actor: string, name: string, isAdmin: boolean): Promise<UserRecord> {
    const user = { id: this.#options.newId('usr'), name, isAdmin };
    return this.#change(createUser, { user, cause: this.#cause(actor) });
  }

  /** A new key and its secret, which nothing can show again. */
  async createKey(actor: string, wanted: WantedKey): Promise<{ readonly key: KeyRecord; readonly secret: string }> {
    const { sealer, newId } = this.#options;
    const { accessKey, secret } = newCredentials();
    const sealedSecret = sealer.seal(secret, sealedAbout(accessKey));
    const cause = this.#cause(actor);
    const params = { ...wanted, accessKey, sealedSecret, newUserId: newId('usr'), cause };
    const user = await this.#change(createKey, params);
    const key: KeyRecord = {
      accessKey,
      userId: user.id,
      userName: user.name,
      label: wanted.label,
      createdAtMs: cause.nowMs,
      revokedAtMs: null,
      lastUsedAtMs: null,
    };
    return { key, secret };
  }

  async revokeKey(actor: string, accessKey: string): Promise<void> {
    await this.#change(revokeKey, { accessKey, cause: this.#cause(actor) });
  }

  async setGrant(actor: string, user: string, bucket: string, permissions: readonly Permission[]): Promise<Grant> {
    return this.#change(setGrant, { user, bucket, permissions, cause: this.#cause(actor) });
  }

  async removeGrant(actor: string, user: string, bucket: string): Promise<void> {
    await this.#change(removeGrant, { user, bucket, cause: this.#cause(actor) });
  }

  #cause(actor: string) {
    return { actor, nowMs: this.#options.clock.nowMs() };
  }

  /** Tells also after a failure: whether the change was made may be unknown. */
  async #change<P, R>(change: Transaction<P, R>, params: P): Promise<R> {
    const { store } = this.#options;
    try {
      return await store.write(change, params);
    } finally {
      store.publish(accessTopic, '');
    }
  }
}
