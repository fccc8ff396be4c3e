/**
 * A background reconciler. It takes no input, reads what is and moves it towards what should be, in bounded batches;
 * running it again, or twice at once, does no harm. It runs when signalled and after each period, on one replica at a time.
 */
export interface Keeper {
  readonly name: string;
  /** What it keeps, for people. */
  readonly summary: string;
  readonly periodMs: number;
  /**
   * Gives a sentence on what it did; throws when it could not. `signal` aborts when the lease is lost, the keeper is paused
   * or the server stops.
   */
  run(signal: AbortSignal, progress?: ReportProgress): Promise<string>;
  /**
   * What a run would do now, by what the run itself goes by; bounded, and changes nothing. Absent where looking is all the
   * work, or changes something itself: `whyNoPlan` says so then, in a sentence.
   */
  plan?(signal: AbortSignal): Promise<KeeperPlan>;
  readonly whyNoPlan?: string;
}

/** Tells how far a run is. Cheap: it is written to the store every few seconds at most. */
export type ReportProgress = (progress: KeeperProgress) => void;

export interface KeeperProgress {
  readonly done: number;
  /** `null`: nobody knows. */
  readonly total: number | null;
  /** For people, such as what is worked on. */
  readonly detail?: string;
}

/** What a run would do and what it would cost. */
export interface KeeperPlan {
  /** One sentence. */
  readonly summary: string;
  /** The first steps, at most {@link planStepsMax}. */
  readonly steps: readonly PlanStep[];
  /** How many there are; with `isExact` false, there are at least so many. */
  readonly count: number;
  readonly isExact: boolean;
  readonly sizeBytes: number;
  readonly costs: readonly PlanCost[];
  /** What stands in its way, such as limits that it would pass; a sentence each. */
  readonly warnings?: readonly string[];
}

export interface PlanStep {
  /** Such as `copy`. */
  readonly action: string;
  readonly subject: string;
  readonly sizeBytes: number;
}

/** What a plan would use of one place, as providers bill it. */
export interface PlanCost {
  readonly place: string;
  readonly requests: number;
  /** Bytes written to it. */
  readonly ingressBytes: number;
  /** Bytes read from it. */
  readonly egressBytes: number;
}

/** How many steps of a plan are told. */
export const planStepsMax = 1_000;

/** A keeper as users see it. */
export interface KeeperStatus {
  readonly name: string;
  readonly summary: string;
  readonly periodMs: number;
  readonly hasPlan: boolean;
  readonly isRunning: boolean;
  /** Of the run under way. */
  readonly progress: KeeperProgress | null;
  readonly paused: { readonly atMs: number; readonly by: string } | null;
  readonly runs: number;
  readonly lastStartedAtMs: number | null;
  readonly lastFinishedAtMs: number | null;
  readonly lastSuccessAtMs: number | null;
  readonly lastResult: string | null;
  readonly lastError: string | null;
}
