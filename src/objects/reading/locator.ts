import { type Store, isStoreTrouble } from '../../kernel/store/store.ts';
import { objectError } from '../errors.ts';
import type { VersionRef } from '../gateway.ts';
import { type LocatedVersion, findBucket, locate } from '../queries/queries.ts';
import { LastKnownVersions } from './last-known.ts';

/** How long a version may be told from memory while the store is away. */
const staleMsMax = 60_000;

/** A located version, and whether it was told from memory. */
export interface Found extends LocatedVersion {
  readonly isStale: boolean;
}

/** Finds versions in the ledger, or in memory while the store cannot be reached. */
export class Locator {
  readonly #store: Store;
  readonly #lastKnown = new LastKnownVersions(staleMsMax);

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`; delete markers are versions. */
  async find({ bucket, key, versionId }: VersionRef): Promise<Found> {
    let located: LocatedVersion | null;
    try {
      located = await this.#store.read((reader) => locate(reader, bucket, key, versionId));
      // An embedded store is read in this process: it is never away, so that nothing has to be remembered.
      if (!this.#store.exclusive) this.#lastKnown.note(bucket, key, versionId, located);
    } catch (error) {
      const known = isStoreTrouble(error) ? this.#lastKnown.find(bucket, key, versionId) : null;
      if (known === null) throw error;
      return { ...known, isStale: true };
    }
    if (located !== null) return { ...located, isStale: false };
    if ((await this.#store.read((reader) => findBucket(reader, bucket))) === null) {
      throw objectError('NoSuchBucket', { bucket });
    }
    throw versionId === undefined
      ? objectError('NoSuchKey', { key })
      : objectError('NoSuchVersion', { key, version_id: versionId });
  }

  /** Forgets what was written or removed here. */
  forget(bucket: string, key: string): void {
    this.#lastKnown.note(bucket, key, undefined, null);
  }
}
