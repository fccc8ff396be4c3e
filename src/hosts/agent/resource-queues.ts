import { HoldfastError } from '../../kernel/errors/errors.ts';

const fencesMax = 10_000;

/** One thing of a resource at a time, in the order in which it came, and nothing with a lower fence after a higher one. */
export class ResourceQueues {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #fences = new Map<string, number>();

  /** Runs `body` after all that came before for this resource. `body` must not throw. */
  run(resource: string, body: () => Promise<void>): Promise<void> {
    const tail = (this.#tails.get(resource) ?? Promise.resolve()).then(body).finally(() => {
      if (this.#tails.get(resource) === tail) this.#tails.delete(resource);
    });
    this.#tails.set(resource, tail);
    return tail;
  }

  /** Keeps the fence of what begins now. Throws `conflict` (`{reason: 'stale_fence'}`) for one that comes too late. */
  raiseFence(resource: string, fence: number): void {
    const seen = this.#fences.get(resource) ?? 0;
    if (fence < seen) {
      const message = `${resource} has seen fence ${seen}; ${fence} comes too late.`;
      throw new HoldfastError('conflict', message, { reason: 'stale_fence' });
    }
    this.#fences.delete(resource);
    this.#fences.set(resource, fence);
    // The oldest goes: the store has superseded its work, and this memory is the second net.
    for (const oldest of this.#fences.keys()) {
      if (this.#fences.size <= fencesMax) break;
      this.#fences.delete(oldest);
    }
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}
