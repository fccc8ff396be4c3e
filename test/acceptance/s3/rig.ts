import type { Client } from '../../../src/client.ts';

/** One server of the gateway. */
export interface Gateway {
  readonly api: Client;
  readonly s3Url: string;
}

/** A gateway with its backends. */
export interface RunningRig {
  /** Servers on one store, which take requests in turn. */
  readonly gateways: readonly Gateway[];
  /** How many copies the suite's buckets have. */
  readonly copies: number;
  /** What stands on the backends, as seen from outside the gateway. */
  remains(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface Rig {
  /** `null` when it can be started here, else what to install. */
  missing(): Promise<string | null> | string | null;
  start(): Promise<RunningRig>;
}

/** The base domain under which buckets are hosts, on every rig. */
export const baseDomain = 's3.test';
