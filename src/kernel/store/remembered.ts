/**
 * What this process last knew, for the time when the store cannot be asked; the oldest goes first. Values older than the
 * bound are not told: others may have changed them since, and that is only tolerable for a short while.
 */
export class Remembered<V> {
  readonly #bounds: { readonly entriesMax: number; readonly ageMsMax: number };
  readonly #entries = new Map<string, { readonly value: V; readonly atMs: number }>();

  constructor(bounds: { readonly entriesMax: number; readonly ageMsMax: number }) {
    this.#bounds = bounds;
  }

  /** Remembers what the store said, or forgets when it said that there is nothing. */
  note(id: string, value: V | null): void {
    this.#entries.delete(id);
    if (value === null) return;
    this.#entries.set(id, { value, atMs: performance.now() });
    if (this.#entries.size > this.#bounds.entriesMax) this.#entries.delete(this.#entries.keys().next().value!);
  }

  find(id: string): V | null {
    const found = this.#entries.get(id);
    return found !== undefined && performance.now() - found.atMs <= this.#bounds.ageMsMax ? found.value : null;
  }
}
