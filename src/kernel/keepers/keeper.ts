/**
 * A background reconciler. It takes no input, reads what is and moves it towards what should be, in bounded batches;
 * running it again, or twice at once, does no harm. It runs when signalled and after each period, on one replica at a time.
 */
export interface Keeper {
  readonly name: string;
  /** What it keeps, for people. */
  readonly summary: string;
  readonly periodMs: number;
  /** Gives a sentence on what it did; throws when it could not. `signal` aborts when the lease is lost or the server stops. */
  run(signal: AbortSignal): Promise<string>;
}

/** A keeper as users see it. */
export interface KeeperStatus {
  readonly name: string;
  readonly summary: string;
  readonly periodMs: number;
  readonly isRunning: boolean;
  readonly runs: number;
  readonly lastStartedAtMs: number | null;
  readonly lastFinishedAtMs: number | null;
  readonly lastSuccessAtMs: number | null;
  readonly lastResult: string | null;
  readonly lastError: string | null;
}
