/** Listeners by topic within one process. Listeners must not throw: they only note that there is something to read. */
export class LocalTopics {
  readonly #listeners = new Map<string, Set<(payload: string) => void>>();

  publish(topic: string, payload: string): void {
    for (const listener of this.#listeners.get(topic) ?? []) listener(payload);
  }

  subscribe(topic: string, listener: (payload: string) => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(topic, listeners);
    return () => listeners.delete(listener);
  }
}
