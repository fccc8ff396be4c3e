import type { Attempt } from '../kernel/operations/operation.ts';

/** What volumes ask of hosts; see `src/hosts`. */
export interface Hosts {
  /**
   * Sends a durable command and waits for its end. Throws what the host threw, and `unavailable` when it is dead or not done in
   * time (the outcome is unknown then).
   */
  run(
    attempt: Attempt,
    command: {
      readonly host: string;
      readonly resource: string;
      readonly kind: string;
      readonly input: unknown;
      readonly secret?: string | null;
    },
  ): Promise<unknown>;
  /** A host by id or name; `null` when there is none. */
  find(reference: string): Promise<KnownHost | null>;
  list(): Promise<readonly KnownHost[]>;
  /** What a host's agent said last of a section; `null` when it never did. */
  reported(hostId: string, section: string): Promise<unknown>;
}

export interface KnownHost {
  readonly id: string;
  readonly name: string;
  readonly state: 'alive' | 'slow' | 'dead' | 'left';
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly heartbeatAtMs: number;
}
