import type { ShortfallRow } from '../tables.ts';

/** How many failures of a content are remembered: more than there are backends to choose from, as a rule. */
const rememberedMax = 20;
/** A target that failed for so many contents, one after another, fails for the next one too as far as anyone can tell. */
const inRowMax = 3;

/**
 * Which targets failed, of one content in all its attempts, and of all contents in one run. A target that failed is not
 * given up, since the fault may be over, but every other one is tried before it.
 */
export class FailedTargets {
  readonly #inRow = new Map<string, number>();

  /** Candidates with the best first: those that did not fail, then those that failed longest ago. */
  order(candidates: readonly string[], failedBefore: readonly string[]): string[] {
    const rank = (name: string) => 2 * (failedBefore.lastIndexOf(name) + 1) + (this.#isTroubled(name) ? 1 : 0);
    return candidates.toSorted((a, b) => rank(a) - rank(b));
  }

  noteSuccess(name: string): void {
    this.#inRow.delete(name);
  }

  /** Gives the failures of the content with this one. */
  noteFailure(name: string, failedBefore: readonly string[]): string[] {
    this.#inRow.set(name, (this.#inRow.get(name) ?? 0) + 1);
    return [...failedBefore.filter((one) => one !== name), name].slice(-rememberedMax);
  }

  #isTroubled(name: string): boolean {
    return (this.#inRow.get(name) ?? 0) >= inRowMax;
  }
}

/** Where a content could not be written so far. */
export function failuresOf({ failed_targets: failed }: Pick<ShortfallRow, 'failed_targets'>): readonly string[] {
  return failed === null ? [] : (JSON.parse(failed) as string[]);
}
