import { HoldfastError } from '../../kernel/errors/errors.ts';

const fencesMax = 10_000;

/** The highest fence that each resource has seen: nothing with a lower one is done after it. */
export class Fences {
  readonly #fences = new Map<string, number>();

  /** Keeps the fence of what begins now. Throws `conflict` (`{reason: 'stale_fence'}`) for one that comes too late. */
  raise(resource: string, fence: number): void {
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
}
