import { type KeeperPlan, type PlanCost, type PlanStep, planStepsMax } from '../../kernel/keepers/keeper.ts';

/** Adds up what a plan would do and use. Of the steps only the first ones are kept. */
export class CostSheet {
  readonly #steps: PlanStep[] = [];
  readonly #costs = new Map<string, PlanCost>();
  #count = 0;
  #sizeBytes = 0;

  step(action: string, subject: string, sizeBytes: number): void {
    this.#count++;
    this.#sizeBytes += sizeBytes;
    if (this.#steps.length < planStepsMax) this.#steps.push({ action, subject, sizeBytes });
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

  plan(say: (count: number, sizeBytes: number) => string, isExact: boolean): KeeperPlan {
    const costs = [...this.#costs.values()].sort((a, b) => (a.place < b.place ? -1 : 1));
    const told = { steps: this.#steps, count: this.#count, isExact, sizeBytes: this.#sizeBytes, costs };
    return { summary: say(this.#count, this.#sizeBytes), ...told };
  }
}
