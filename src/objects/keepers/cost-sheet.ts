import { type KeeperPlan, type PlanCost, type PlanStep, planStepsMax } from '../../kernel/keepers/keeper.ts';

/** So many different sentences of what stands in the way are told. */
const warningsMax = 20;

/** Adds up what a plan would do and use. Of the steps only the first ones are kept. */
export class CostSheet {
  readonly #steps: PlanStep[] = [];
  readonly #costs = new Map<string, PlanCost>();
  /** How often what stands in the way was met. */
  readonly #warnings = new Map<string, number>();
  #count = 0;
  #sizeBytes = 0;

  step(action: string, subject: string, sizeBytes: number): void {
    this.#count++;
    this.#sizeBytes += sizeBytes;
    if (this.#steps.length < planStepsMax) this.#steps.push({ action, subject, sizeBytes });
  }

  /** How many steps there are so far. */
  get count(): number {
    return this.#count;
  }

  /** Notes what stands in the way, in a sentence; one that is said again is told once, with how often. */
  warn(sentence: string): void {
    const times = this.#warnings.get(sentence) ?? 0;
    if (times > 0 || this.#warnings.size < warningsMax) this.#warnings.set(sentence, times + 1);
  }

  add(place: string, used: Partial<Omit<PlanCost, 'place'>>): void {
    const before = this.#costs.get(place) ?? { place, requests: 0, ingressBytes: 0, egressBytes: 0 };
    this.#costs.set(place, {
      place,
      requests: before.requests + (used.requests ?? 0),
      ingressBytes: before.ingressBytes + (used.ingressBytes ?? 0),
      egressBytes: before.egressBytes + (used.egressBytes ?? 0),
    });
  }

  /** The plan with a summary; `say` gets the count in words, which tell whether there may be more. */
  plan(say: (count: string, sizeBytes: number) => string, isExact: boolean): KeeperPlan {
    const costs = [...this.#costs.values()].sort((a, b) => (a.place < b.place ? -1 : 1));
    const told = { steps: this.#steps, count: this.#count, isExact, sizeBytes: this.#sizeBytes, costs };
    const warnings = [...this.#warnings].map(([sentence, times]) =>
      times === 1 ? sentence : `${sentence} (${times} times)`,
    );
    const count = `${isExact ? '' : 'At least '}${this.#count}`;
    return { summary: say(count, this.#sizeBytes), ...told, ...(warnings.length === 0 ? {} : { warnings }) };
  }
}
