import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { rankBackends } from '../placement.ts';

/** How long a picture of used bytes serves for ranking; the claim itself always asks the store. */
const pictureMs = 500;

const used = 'select backend, sum(used_bytes) as used_bytes from backend_stripes group by backend';

const nothing: ReadonlyMap<string, number> = new Map();

/** Ranks backends for writes by what is known of them in this process. */
export class CapacityView {
  readonly #store: Store;
  readonly #registry: ObjectBackendRegistry;
  #usedBytes = new Map<string, number>();
  #takenAtMs = Number.NEGATIVE_INFINITY;

  constructor(store: Store, registry: ObjectBackendRegistry) {
    this.#store = store;
    this.#registry = registry;
  }

  /**
   * Names of backends that take writes now, best first, without those that hold a copy already; as if what is `planned`, in
   * bytes by backend, stood there too.
   */
  async rank(
    settings: BucketSettings,
    storedBytes: number,
    holders: readonly string[] = [],
    planned: ReadonlyMap<string, number> = nothing,
  ): Promise<string[]> {
    const active = this.#registry.all.filter(({ state }) => state === 'active');
    const holding = active.filter(({ name }) => holders.includes(name));
    const known = active.filter(
      (one) =>
        !holders.includes(one.name) && one.isOpenFor('write') && !one.isOver('requests') && !one.isOver('ingress'),
    );
    if (settings.placement === 'spread' && known.length > 1) await this.#look();
    const candidates = known.map(({ name, position, labels, quotaBytes, backend }) => {
      const usedBytes = (this.#usedBytes.get(name) ?? 0) + (planned.get(name) ?? 0);
      const freeBytes = quotaBytes === null ? null : quotaBytes - usedBytes;
      const max = backend.capabilities.blobBytesMax;
      const room = { freeBytes, totalBytes: quotaBytes, usedBytes };
      return { name, position, labels, ...room, isLargeEnough: max === null || storedBytes <= max };
    });
    return rankBackends(
      candidates.filter(({ isLargeEnough }) => isLargeEnough),
      settings,
      holding,
    );
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#takenAtMs < pictureMs) return;
    this.#takenAtMs = performance.now();
    const rows = await this.#store.read((reader) =>
      reader.rows<{ backend: string; used_bytes: number | string }>(used, []),
    );
    this.#usedBytes = new Map(rows.map((row) => [row.backend, Number(row.used_bytes)]));
  }
}
