import type { Store } from '../../kernel/store/store.ts';
import { objectError } from '../errors.ts';
import type { VersionRef } from '../gateway.ts';
import { type LocatedVersion, findBucket, locate } from '../queries/queries.ts';
import type { Outage } from '../../kernel/store/outage.ts';
import { Remembered } from '../../kernel/store/remembered.ts';

/** How long a version may be told from memory while the store is away. */
const staleMsMax = 60_000;
const rememberedMax = 20_000;

/** A located version, and whether it was told from memory. */
export interface Found extends LocatedVersion {
  readonly isStale: boolean;
}

/** How many versions an embedded store's answers are kept of. */
const answersMax = 10_000;

/** Finds versions in the ledger, or in memory while the store cannot be reached. */
export class Locator {
  readonly #store: Store;
  readonly #outage: Outage;
  readonly #lastKnown = new Remembered<LocatedVersion>({ entriesMax: rememberedMax, ageMsMax: staleMsMax });
  /** Answers that are exact until the next commit, on a store that knows of every commit. */
  readonly #answers = new Map<string, LocatedVersion>();
  #answersAt: number | null = null;

  constructor(store: Store, outage: Outage) {
    this.#store = store;
    this.#outage = outage;
  }

  /** Throws `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`; delete markers are versions. */
  async find({ bucket, key, versionId }: VersionRef): Promise<Found> {
    const { value: located, isStale } = await this.#outage.read(
      () => this.#read(bucket, key, versionId),
      () => this.#lastKnown.find(idOf(bucket, key, versionId)),
    );
    if (located !== null) return { ...located, isStale };
    if ((await this.#store.read((reader) => findBucket(reader, bucket))) === null) {
      throw objectError('NoSuchBucket', { bucket });
    }
    throw versionId === undefined
      ? objectError('NoSuchKey', { key })
      : objectError('NoSuchVersion', { key, version_id: versionId });
  }

  async #read(bucket: string, key: string, versionId: string | undefined): Promise<LocatedVersion | null> {
    const { commits } = this.#store;
    const read = () => this.#store.read((reader) => locate(reader, bucket, key, versionId));
    if (commits === null) {
      const located = await read();
      // That there is nothing is not told from memory: another gateway may have written since, and been believed.
      this.#lastKnown.note(idOf(bucket, key, versionId), located?.version.isMarker === true ? null : located);
      return located;
    }
    // An embedded store is never away, so that nothing has to be remembered for that; but reading it again is dear.
    if (commits !== this.#answersAt || this.#answers.size >= answersMax) {
      this.#answers.clear();
      this.#answersAt = commits;
    }
    const id = idOf(bucket, key, versionId);
    const known = this.#answers.get(id);
    if (known !== undefined) return known;
    const located = await read();
    // A commit while reading may or may not be in the answer, so that one is not kept.
    if (located !== null && this.#store.commits === commits && this.#answersAt === commits)
      this.#answers.set(id, located);
    return located;
  }

  /** Forgets what was written or removed here: the latest version, the one without a name, and the one that is named. */
  forget(bucket: string, key: string, versionId?: string): void {
    for (const id of [undefined, 'null', versionId]) this.#lastKnown.note(idOf(bucket, key, id), null);
  }
}

/** Neither part before the last can have a null character. */
function idOf(bucket: string, key: string, versionId: string | undefined): string {
  return versionId === undefined ? `${bucket}/${key}` : `${bucket}/${key}\0${versionId}`;
}
