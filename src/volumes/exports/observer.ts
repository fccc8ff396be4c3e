import { type ExportTargets, listAll } from './executors.ts';
import type { ExportsReport } from './work.ts';

export interface ExportObserverOptions {
  readonly targets: ExportTargets;
  readonly periodMs: number;
  readonly deadlineMs: number;
  /** Gets what is exported now; called after each look. */
  readonly tell: (report: ExportsReport) => void;
}

/** Looks at what a host really exports, by period and whenever something happened, and tells it. One look at a time. */
export class ExportObserver {
  readonly #options: ExportObserverOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #isWanted = false;
  #isClosed = false;

  constructor(options: ExportObserverOptions) {
    this.#options = options;
  }

  /** Looks soon; what is asked for during a look is looked at after it. */
  look(): void {
    if (this.#isClosed) return;
    this.#isWanted = true;
    this.#looking ??= this.#lookWhileWanted().finally(() => {
      this.#looking = null;
      clearTimeout(this.#timer);
      if (!this.#isClosed) this.#timer = setTimeout(() => this.look(), this.#options.periodMs).unref();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #lookWhileWanted(): Promise<void> {
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      const report = await listAll(this.#options.targets, AbortSignal.timeout(this.#options.deadlineMs));
      if (!this.#isClosed) this.#options.tell(report);
    }
  }
}
