import type { KeyObject } from 'node:crypto';
import type { CredentialScope } from './signed-request.ts';

/**
 * Signing keys that verified a request, so that they need not be derived for the next one; the least recently used goes
 * first. A region is the client's free choice, so the number is bounded, and only who has the secret gets a place.
 */
export class SigningKeyCache {
  readonly #entriesMax: number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, { readonly secret: string; readonly key: KeyObject }>();

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The key for this scope, unless it was derived from another secret than this one. */
  find(accessKey: string, secret: string, scope: CredentialScope): KeyObject | undefined {
    const id = idOf(accessKey, scope);
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.secret !== secret) return undefined;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry.key;
  }

  keep(accessKey: string, secret: string, scope: CredentialScope, key: KeyObject): void {
    const id = idOf(accessKey, scope);
    this.#entries.delete(id);
    this.#entries.set(id, { secret, key });
    if (this.#entries.size <= this.#entriesMax) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** Neither a date nor a region has white space. */
function idOf(accessKey: string, { date, region }: CredentialScope): string {
  return `${date} ${region} ${accessKey}`;
}
