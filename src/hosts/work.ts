import type { ErrorData } from '../kernel/errors/errors.ts';

/** One durable command to a host, as its agent gets it. */
export interface HostWork {
  readonly id: string;
  /** What it changes; an agent does one at a time of a resource, in the order of fences. */
  readonly resource: string;
  readonly kind: string;
  /** Grows with each hand-over of the resource. */
  readonly fence: number;
  readonly input: unknown;
  /** A secret that belongs to it, such as a key; sealed while it stands in the store. */
  readonly secret: string | null;
  /** How long anybody will wait for it, from now. */
  readonly timeoutMs: number;
}

/** How a piece of work ended. */
export interface HostResult {
  readonly id: string;
  readonly output: unknown;
  readonly error: ErrorData | null;
}

/** What a host sees of one kind of thing, whole: it takes the place of what it said before. */
export interface HostReport {
  /** Such as `exports` or `devices`. */
  readonly section: string;
  readonly data: unknown;
}

/** What an agent is told each time it asks. */
export interface HostTake {
  readonly work: readonly HostWork[];
  /** What should be on this host, by section, whole. */
  readonly wanted: Readonly<Record<string, unknown>>;
}

export interface HostRegistration {
  readonly name: string;
  /** Of this run of the agent, so that it is known again when the answer to its registration was lost. */
  readonly instance: string;
  readonly address: string;
  readonly version: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** The name under which an agent speaks until it leaves or another takes its place. */
export interface HostSession {
  readonly hostId: string;
  readonly session: string;
  /** How often the server wants to hear of it. */
  readonly heartbeatMs: number;
}

/** What a sealed secret of work belongs to. */
export function workSecret(workId: string): string {
  return `host-work:${workId}`;
}
