import type { LocatedVersion } from '../queries/queries.ts';

/** How many versions are remembered. */
const entriesMax = 20_000;

/**
 * What this process last knew of versions, for the time when the store cannot be asked. It is not used while the store
 * answers. Entries older than the bound are not used either: another gateway may have written in between, and an old
 * version told as the present one is only tolerable for a short while.
 */
export class LastKnownVersions {
  readonly #ageMsMax: number;
  readonly #entries = new Map<string, { readonly located: LocatedVersion; readonly atMs: number }>();

  constructor(ageMsMax: number) {
    this.#ageMsMax = ageMsMax;
  }

  /** Remembers what the store said, or forgets when it said that there is nothing. */
  note(bucket: string, key: string, versionId: string | undefined, located: LocatedVersion | null): void {
    const id = entryId(bucket, key, versionId);
    this.#entries.delete(id);
    if (located === null) return;
    this.#entries.set(id, { located, atMs: performance.now() });
    if (this.#entries.size > entriesMax) this.#entries.delete(this.#entries.keys().next().value!);
  }

  find(bucket: string, key: string, versionId: string | undefined): LocatedVersion | null {
    const found = this.#entries.get(entryId(bucket, key, versionId));
    if (found === undefined || performance.now() - found.atMs > this.#ageMsMax) return null;
    return found.located;
  }
}

function entryId(bucket: string, key: string, versionId: string | undefined): string {
  return `${bucket}/${versionId ?? ''}/${key}`;
}
