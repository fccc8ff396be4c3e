import type { Clock } from '../ids.ts';
import type { Store } from '../store/store.ts';
import { adoptOperations, ownRuns } from './ownership.ts';
import type { Run } from './run.ts';
import type { RunData } from './start.ts';

export interface AdoptionOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The replica that takes over, or `null` while this process has no lease to own anything with. */
  owner(): string | null;
  known(operationId: string): Run<unknown> | null;
  begin(run: RunData, owner: string): void;
  onAdopted(runs: readonly RunData[]): void;
  onError(error: unknown): void;
}

const pageSize = 100;
const pagesMax = 1_000;
const tickMs = 1_000;
/** Every so many ticks our own runs in the store are compared with those in memory. */
const auditTicks = 5;

/**
 * The net under the engine: takes over the runs of the dead, hears cancels whose wake-up was lost, and begins again
 * a run that is ours in the store but unknown here (its start was committed and the answer lost).
 */
export class AdoptionLoop {
  readonly #options: AdoptionOptions;
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;
  #isStopped = false;
  #unknownBefore = new Set<string>();
  #underWay: Promise<void> | null = null;

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.tick();
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Looks again, also when a look is under way that may have come too early. */
  wake(): void {
    void (this.#underWay ?? Promise.resolve()).then(() => this.tick());
  }

  async tick(): Promise<void> {
    if (this.#isStopped) return;
    this.#underWay ??= this.#tick().finally(() => (this.#underWay = null));
    await this.#underWay;
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.tick().finally(() => this.#schedule()), tickMs).unref();
  }

  async #tick(): Promise<void> {
    try {
      await this.#adopt();
      if (this.#ticks++ % auditTicks === 0) await this.#audit();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  async #adopt(): Promise<void> {
    const { store, clock, begin, onAdopted } = this.#options;
    for (let page = 0; page < pagesMax && !this.#isStopped; page++) {
      const owner = this.#options.owner();
      if (owner === null) return;
      const runs = await store.write(adoptOperations, { owner, limit: pageSize, nowMs: clock.nowMs() });
      if (runs.length > 0) onAdopted(runs);
      for (const run of runs) begin(run, owner);
      if (runs.length < pageSize) return;
    }
  }

  async #audit(): Promise<void> {
    const { store, known, begin, onAdopted } = this.#options;
    const owner = this.#options.owner();
    if (owner === null) return;
    const runs = await store.read((reader) => ownRuns(reader, owner));
    const unknown = new Set<string>();
    for (const run of runs) {
      const here = known(run.id);
      if (here !== null) {
        if (run.isCancelRequested && !here.isCleaningUp) here.stop('cancelled');
      } else if (this.#unknownBefore.has(run.id)) {
        // Seen twice: it is not merely a start whose answer is on its way.
        onAdopted([run]);
        begin(run, owner);
      } else unknown.add(run.id);
    }
    this.#unknownBefore = unknown;
  }
}
