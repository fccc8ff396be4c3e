import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import type { BackendContext, FencedContext, VolumeBackend } from '../../src/volumes/backends/backend.ts';
import type { ExportTarget } from '../../src/volumes/exports/target.ts';

/** A verb of the ports that can be interfered with; those of what exports volumes have a prefix. */
export type Verb =
  | Exclude<keyof VolumeBackend, 'name' | 'capabilities' | 'createParameters' | 'close'>
  | `export.${Exclude<keyof ExportTarget, 'kind' | 'capabilities' | 'close'>}`;
/** On which side of the verb's effect something happens. */
export type Moment = 'before' | 'after';

/** One call that a backend got. */
export interface BackendCall {
  readonly verb: Verb;
  /** What followed the context. */
  readonly args: readonly unknown[];
  /** `null` for a call that is not an operation's: a look of the service or of a keeper. */
  readonly fence: number | null;
}

interface Plan {
  readonly verb: Verb;
  readonly moment: Moment;
  /** How many calls it still hits. */
  times: number;
  /** Whether it hits only calls of operations, which carry a fence. */
  readonly onlyOperations: boolean;
  act(signal: AbortSignal): Promise<void> | void;
}

/**
 * Stands between the server and a real backend, of whatever kind, and does what a test has planned: refuses a verb, loses
 * its answer, or holds it. Plans hit only the calls of operations unless they say otherwise, since
 * keepers and the service look at the same backend in between.
 */
export class BackendFaults {
  readonly calls: BackendCall[] = [];
  readonly #plans: Plan[] = [];

  /** For `startServer(config, { wrapBackend: faults.wrap })`. */
  readonly wrap = (backend: VolumeBackend): VolumeBackend => this.#between(backend, (name) => name as Verb);

  /** For `startServer(config, { wrapExportTarget: faults.wrapTarget })`. */
  readonly wrapTarget = (target: ExportTarget): ExportTarget =>
    this.#between(target, (name) => `export.${name}` as Verb);

  /** How often operations called a verb. */
  count(verb: Verb): number {
    return this.calls.filter((call) => call.verb === verb && call.fence !== null).length;
  }

  /** Refuses a verb without doing it: always, or `times` times. */
  refuse(verb: Verb, times = Number.POSITIVE_INFINITY): void {
    this.#plan(verb, 'before', times, () => {
      throw new HoldfastError('backend', `The backend refuses ${verb}, as the test told it to.`);
    });
  }

  /** Does the work, and then loses the answer. */
  loseAnswer(verb: Verb, times = 1): void {
    this.#plan(verb, 'after', times, () => {
      throw new HoldfastError('unavailable', `The answer to ${verb} was lost, as the test planned.`);
    });
  }

  /** The backend is out of reach, for everybody who asks. */
  unreachable(...verbs: readonly Verb[]): void {
    for (const verb of verbs) {
      const act = () => {
        throw new HoldfastError('unavailable', 'The backend cannot be reached, as the test planned.');
      };
      this.#plans.push({ verb, moment: 'before', times: Number.POSITIVE_INFINITY, onlyOperations: false, act });
    }
  }

  /** Holds the next call of a verb until it is released, or its signal aborts. `reached` tells that it is held. */
  hold(verb: Verb, moment: Moment): { readonly reached: Promise<void>; release(): void } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#plan(verb, moment, 1, async (signal) => {
      const aborted = new Promise<never>((_resolve, reject) => {
        const onAbort = () => reject(new HoldfastError('unavailable', `The wait in ${verb} was cut off.`));
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort, { once: true });
      });
      reached.resolve();
      await Promise.race([released.promise, aborted]);
    });
    return { reached: reached.promise, release: () => released.resolve() };
  }

  /** Forgets all plans and calls. */
  clear(): void {
    this.#plans.length = 0;
    this.calls.length = 0;
  }

  #between<T extends VolumeBackend | ExportTarget>(real: T, verbOf: (name: string) => Verb): T {
    return new Proxy(real, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property, target);
        if (typeof member !== 'function' || typeof property === 'symbol') return member;
        if (property === 'close') return member.bind(target) as unknown;
        return (...args: unknown[]) =>
          this.#call(verbOf(property), args, () => member.apply(target, args) as Promise<unknown>);
      },
    });
  }

  #plan(verb: Verb, moment: Moment, times: number, act: Plan['act']): void {
    this.#plans.push({ verb, moment, times, onlyOperations: true, act });
  }

  async #call(verb: Verb, args: readonly unknown[], work: () => Promise<unknown>): Promise<unknown> {
    // `health` gets the signal itself, all others a context.
    const [first, ...rest] = args;
    const isSignal = first instanceof AbortSignal;
    const signal = isSignal ? first : (first as BackendContext).signal;
    const fence = isSignal ? null : ((first as Partial<FencedContext>).fence ?? null);
    this.calls.push({ verb, args: rest, fence });
    await this.#take(verb, 'before', fence)?.act(signal);
    const result = await work();
    await this.#take(verb, 'after', fence)?.act(signal);
    return result;
  }

  #take(verb: Verb, moment: Moment, fence: number | null): Plan | undefined {
    const plan = this.#plans.find(
      (one) => one.verb === verb && one.moment === moment && one.times > 0 && (fence !== null || !one.onlyOperations),
    );
    if (plan !== undefined) plan.times--;
    return plan;
  }
}
