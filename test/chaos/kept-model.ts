/** A version, or (`id` is `null`) a delete marker, that a client has asked for. */
export interface Entry {
  /** Of the write, from which its bytes follow. */
  readonly id: string | null;
  /** `null` while nobody was told of it. */
  versionId: string | null;
  /** Whether it was acknowledged or seen. */
  isSure: boolean;
  /** Whether its removal was asked for, with an outcome that nobody knows. */
  mayBeGone: boolean;
}

/** What a listing or a read tells of a version. */
export interface Seen {
  readonly id: string | null;
  readonly versionId: string;
}

/** What may stand under a key, by what its only client was told. Pure. */
export class KeyModel {
  /** Oldest first. */
  entries: Entry[] = [];
  readonly #isVersioned: boolean;
  /** Whether the rules of its bucket remove it: all of it, or with versions what is no longer current. */
  readonly #isExpiring: boolean;

  constructor({ isVersioned, isExpiring }: { readonly isVersioned: boolean; readonly isExpiring: boolean }) {
    this.#isVersioned = isVersioned;
    this.#isExpiring = isExpiring;
  }

  /** A write; `versionId` is `null` when nobody knows whether it was carried out. */
  written(id: string, versionId: string | null): void {
    this.#add(id, versionId);
  }

  /** A removal without a version. */
  removed(versionId: string | null): void {
    if (this.#isVersioned) return this.#add(null, versionId);
    if (versionId !== null) this.entries = [];
    else for (const entry of this.entries) entry.mayBeGone = true;
  }

  removedVersion(entry: Entry, isSure: boolean): void {
    if (isSure) this.entries = this.entries.filter((one) => one !== entry);
    else entry.mayBeGone = true;
  }

  /** Takes what a read of the current version saw; says what is wrong with that. */
  saw(id: string | null): string | null {
    const possible = this.#possible();
    if (!possible.has(id)) return `${id ?? 'nothing'} was read where only ${[...possible].join(' or ')} can stand`;
    if (!this.#isVersioned) {
      this.entries = id === null ? [] : [{ id, versionId: null, isSure: true, mayBeGone: false }];
    } else if (id !== null) {
      const at = this.entries.findLastIndex((entry) => entry.id === id);
      this.entries = this.entries.slice(0, at + 1);
      Object.assign(this.entries[at]!, { isSure: true, mayBeGone: false });
    }
    return null;
  }

  /** Compares with all versions as a listing tells them, newest first, after rules were applied; then they are what stands. */
  settle(listed: readonly Seen[]): string[] {
    const faults = this.#isVersioned ? this.#compareVersions(listed) : this.#compareOne(listed);
    this.entries = listed.map(({ id, versionId }) => ({ id, versionId, isSure: true, mayBeGone: false })).toReversed();
    return faults;
  }

  #add(id: string | null, versionId: string | null): void {
    const isSure = versionId !== null;
    if (isSure && !this.#isVersioned) this.entries = [];
    // What is no longer current may expire at any time, and does not come back when what took its place is removed.
    if (this.#isExpiring) for (const entry of this.entries) entry.mayBeGone = true;
    this.entries.push({ id, versionId, isSure, mayBeGone: false });
  }

  #possible(): Set<string | null> {
    const possible = new Set<string | null>();
    if (this.#isExpiring && !this.#isVersioned) possible.add(null);
    for (const { id, isSure, mayBeGone } of this.entries.toReversed()) {
      possible.add(id);
      if (isSure && !mayBeGone) return possible;
    }
    return possible.add(null);
  }

  #compareOne(listed: readonly Seen[]): string[] {
    if (listed.length > 1) return [`${listed.length} versions stand where none are kept`];
    const id = listed[0]?.id ?? null;
    if (this.#isExpiring) return id === null ? [] : [`${id} has not expired`];
    const fault = this.saw(id);
    return fault === null ? [] : [fault];
  }

  #compareVersions(listed: readonly Seen[]): string[] {
    const faults: string[] = [];
    const isLost = ({ isSure, mayBeGone }: Entry) => isSure && !mayBeGone;
    const entries = this.entries.toReversed();
    if (this.#isExpiring && listed.length > 1) {
      faults.push(`${listed.length - 1} noncurrent versions have not expired`);
    }
    let next = 0;
    for (const { id, versionId } of listed) {
      const known = entries.findIndex((entry) => entry.versionId === versionId);
      const at =
        known === -1
          ? entries.findIndex((entry, index) => index >= next && entry.id === id && entry.versionId === null)
          : known;
      if (at < next || entries[at]!.id !== id) {
        faults.push(`version ${versionId} (${id}) was never written or was removed, or it stands elsewhere`);
      } else {
        faults.push(...this.#missing(entries.slice(next, at).filter(isLost)));
        next = at + 1;
      }
    }
    return [...faults, ...this.#missing(entries.slice(next).filter(isLost))];
  }

  #missing(entries: readonly Entry[]): string[] {
    return entries.map(({ id, versionId }) => `version ${versionId} (${id ?? 'a marker'}) is lost`);
  }
}
