import { randomBytes } from 'node:crypto';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Store } from '../../kernel/store/store.ts';
import { adoptKeks, enterKek, kekTopic, readKeks, rotateKeks } from '../ledger/keks.ts';
import type { KekRow } from '../tables.ts';
import type { Kek, WrappedKek } from './data-key.ts';
import type { RootKeys } from './load-root-keys.ts';
import type { RootKey } from './root-key.ts';
import { keyBytes } from './wrap.ts';

export interface KeyringOptions {
  readonly store: Store;
  readonly rootKeys: RootKeys;
  readonly newId: IdSource;
  readonly clock: Clock;
  /** Puts a key where it is found without the ledger, before it is used. */
  save(keks: readonly Kek[]): Promise<void>;
  onError(error: unknown, about: string): void;
}

/** The purpose of keys that nobody named a root key for: they follow the current one. */
const anyRoot = '';
const rotationsMax = 5;

/** A key-encryption key as operators see it. */
export interface KekStatus {
  readonly id: string;
  readonly rootKeyId: string;
  readonly state: string;
  readonly createdAtMs: number;
}

/**
 * The key-encryption keys in this process's memory. A root key is asked once for each of them when the process starts, so
 * that no read and no write waits for Vault, and rotating re-wraps these few keys, however much they have encrypted.
 */
export class Keyring {
  readonly #options: KeyringOptions;
  readonly #keks = new Map<string, Kek>();
  readonly #current = new Map<string, Kek>();
  #refreshing: Promise<void> | null = null;
  #making = new Map<string, Promise<Kek>>();
  readonly #unsubscribe: () => void;

  private constructor(options: KeyringOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.subscribe(kekTopic, () => {
      this.refresh().catch((error: unknown) => options.onError(error, 'encryption keys were not read anew'));
    });
  }

  /**
   * Unwraps every key there is and makes the first one. Throws `invalid` when a root key is not configured, or is not the one
   * that wrapped a key, and `unavailable` when it cannot be asked.
   */
  static async open(options: KeyringOptions): Promise<Keyring> {
    const keyring = new Keyring(options);
    try {
      await keyring.refresh();
      await keyring.current(null);
      // A root key that is only named by requests is tried as well: one that cannot be used must not be found out later.
      for (const key of options.rootKeys.byId.values()) await tryOut(key);
      return keyring;
    } catch (error) {
      keyring.close();
      throw error;
    }
  }

  get rootKeys(): RootKeys {
    return this.#options.rootKeys;
  }

  get keks(): readonly Kek[] {
    return [...this.#keks.values()];
  }

  get currentIds(): ReadonlySet<string> {
    return new Set([...this.#current.values()].map(({ id }) => id));
  }

  /** The key that wraps new data keys: of a root key that was named, or (`null`) of the current one. */
  async current(rootKeyId: string | null): Promise<Kek> {
    const purpose = rootKeyId ?? anyRoot;
    const known = this.#current.get(purpose);
    if (known !== undefined) return known;
    const making = this.#making.get(purpose) ?? this.#make(purpose).finally(() => this.#making.delete(purpose));
    this.#making.set(purpose, making);
    return making;
  }

  /** A key by its id, also one that another process made. Throws `internal` when there is none: none other is tried. */
  async find(id: string): Promise<Kek> {
    if (!this.#keks.has(id)) await this.refresh();
    const kek = this.#keks.get(id);
    if (kek !== undefined) return kek;
    throw new HoldfastError('internal', `The encryption key ${id} is not known.`, { key_id: id });
  }

  /** Reads what others have changed. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#read().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async status(): Promise<KekStatus[]> {
    const rows = await this.#options.store.read(readKeks);
    return rows.map((row) => ({
      id: row.id,
      rootKeyId: row.root_key_id,
      state: row.state,
      createdAtMs: row.created_at,
    }));
  }

  /**
   * Wraps all keys anew, by the current root key (those of a named root key by that one), and makes new current ones. What
   * was encrypted stays as it is. Afterwards former root keys are needed no more. Gives how many were wrapped anew.
   */
  async rotate(actor: string): Promise<number> {
    const { store, clock, save } = this.#options;
    for (let attempt = 1; attempt <= rotationsMax; attempt++) {
      const rows = await store.read(readKeks);
      const rewrapped = [];
      for (const { id, purpose, wrapped: from } of rows) {
        const root = this.#rootOf(purpose);
        const { bytes } = await this.find(id);
        rewrapped.push({ id, from, rootKeyId: root.id, wrapped: await root.wrap(bytes, id) });
      }
      const made = [];
      for (const purpose of new Set([anyRoot, ...rows.map((row) => row.purpose)]))
        made.push(await this.#draft(purpose));
      const nowMs = clock.nowMs();
      if (!(await store.write(rotateKeks, { rewrapped, made: made.map(({ row }) => row), actor, nowMs }))) continue;
      await this.refresh();
      store.publish(kekTopic, '');
      await save(this.keks);
      return rewrapped.length;
    }
    throw new HoldfastError('conflict', 'The keys are being rotated by somebody else; try again.');
  }

  /**
   * Takes over keys that were found on backends, each of which may have been found as several root keys wrapped it. All of
   * them or none: throws `invalid` when one can be unwrapped by no root key that is configured, and `unavailable` when a
   * root key cannot be asked.
   */
  async adopt(found: readonly WrappedKek[]): Promise<number> {
    const { store, clock } = this.#options;
    const opened = new Map<string, WrappedKek>();
    const refused = new Map<string, unknown>();
    for (const kek of found) {
      if (this.#keks.has(kek.id) || opened.has(kek.id)) continue;
      try {
        await this.#unwrap({ id: kek.id, root_key_id: kek.rootKeyId, wrapped: kek.wrapped }, undefined);
        opened.set(kek.id, kek);
      } catch (error) {
        refused.set(kek.id, error);
      }
    }
    for (const [id, error] of refused) if (!opened.has(id)) throw error;
    const rows = [...opened.values()].map(({ id, rootKeyId: root_key_id, wrapped }) => ({ id, root_key_id, wrapped }));
    const createdAtMs = clock.nowMs();
    if (rows.length > 0)
      await store.write(
        adoptKeks,
        rows.map((row) => ({ ...row, created_at: createdAtMs })),
      );
    await this.refresh();
    store.publish(kekTopic, '');
    return rows.length;
  }

  close(): void {
    this.#unsubscribe();
  }

  async #read(): Promise<void> {
    for (const row of await this.#options.store.read(readKeks)) {
      const known = this.#keks.get(row.id);
      const kek = known?.wrapped === row.wrapped ? known : await this.#unwrap(row, known);
      this.#keks.set(row.id, kek);
      if (row.state === 'current') this.#current.set(row.purpose, kek);
    }
  }

  async #unwrap(row: Pick<KekRow, 'id' | 'root_key_id' | 'wrapped'>, known: Kek | undefined): Promise<Kek> {
    const { id, root_key_id: rootKeyId, wrapped } = row;
    // Wrapped anew, it is the same key, and its root key need not be known here yet.
    if (known !== undefined) return { ...known, rootKeyId, wrapped };
    const root = this.#options.rootKeys.byId.get(rootKeyId);
    if (root === undefined) {
      const message = `The encryption key ${id} is wrapped by the root key ${rootKeyId}, which is not configured.`;
      throw new HoldfastError('invalid', message, { key_id: id, root_key_id: rootKeyId });
    }
    return { id, rootKeyId, wrapped, bytes: await root.unwrap(wrapped, id) };
  }

  async #make(purpose: string): Promise<Kek> {
    const { store, save } = this.#options;
    const { row, kek } = await this.#draft(purpose);
    await save([kek]);
    const entered = await store.write(enterKek, row);
    const standing = entered.id === kek.id ? kek : await this.#unwrap(entered, this.#keks.get(entered.id));
    this.#keks.set(standing.id, standing);
    this.#current.set(purpose, standing);
    return standing;
  }

  async #draft(purpose: string): Promise<{ readonly row: Omit<KekRow, 'state'>; readonly kek: Kek }> {
    const { newId, clock } = this.#options;
    const root = this.#rootOf(purpose);
    const id = newId('kek');
    const bytes = randomBytes(keyBytes);
    const wrapped = await root.wrap(bytes, id);
    const row = { id, purpose, root_key_id: root.id, wrapped, created_at: clock.nowMs() };
    return { row, kek: { id, rootKeyId: root.id, wrapped, bytes } };
  }

  #rootOf(purpose: string): RootKey {
    const { current, byId } = this.#options.rootKeys;
    const root = purpose === anyRoot ? current : byId.get(purpose);
    if (root !== undefined) return root;
    throw new HoldfastError('invalid', `The root key ${purpose} is not configured.`, { root_key_id: purpose });
  }
}

async function tryOut(key: RootKey): Promise<void> {
  const trial = randomBytes(keyBytes);
  const back = await key.unwrap(await key.wrap(trial, 'trial'), 'trial');
  if (!back.equals(trial))
    throw new HoldfastError('invalid', `The root key ${key.id} does not give back what it wraps.`);
}

/** Without root keys a store that has keys is one whose configuration was lost. Throws `invalid` then. */
export async function refuseLostKeys(store: Store): Promise<void> {
  const [kek] = await store.read(readKeks);
  if (kek === undefined) return;
  const message = `Objects of this store are encrypted under the root key ${kek.root_key_id}, and no root keys are configured.`;
  throw new HoldfastError('invalid', message, { field: 'ENCRYPTION_KEY_FILES', root_key_id: kek.root_key_id });
}
