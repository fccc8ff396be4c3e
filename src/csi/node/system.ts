import type { Mount } from './mounts.ts';

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the node service asks of its machine. Devices and paths are real ones; no shell is between. */
export interface NodeSystem {
  /**
   * Runs a program to its end. A code other than 0 is an answer, not an error.
   *
   * @throws HoldfastError `unavailable` when it is not there, or did not end in time and was killed (then with `timeout_ms`).
   */
  run(program: string, args: readonly string[], timeoutMs: number): Promise<ProgramResult>;
  /** What is mounted where, as this process sees it, in the order of mounting. */
  mounts(): Promise<readonly Mount[]>;
}
