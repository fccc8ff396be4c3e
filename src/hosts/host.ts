import { HoldfastError } from '../kernel/errors/errors.ts';

/**
 * What is known of a host by its heartbeats. `slow`: it was not heard for a while, and may still be at work. `dead`: it was
 * not heard for so long that nothing waits for it any more. Neither says that its clients have stopped writing: only fencing
 * makes that sure. `left`: its agent has stopped in order.
 */
export const hostStates = ['alive', 'slow', 'dead', 'left'] as const;
export type HostState = (typeof hostStates)[number];

/** A machine with an agent. */
export interface Host {
  readonly id: string;
  /** Unique; what `node_id` names. */
  readonly name: string;
  /** Where its exports are reached. */
  readonly address: string;
  readonly version: string;
  /** What its agent can do, by section. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly state: HostState;
  /** Grows with each registration of an agent. */
  readonly epoch: number;
  readonly createdAtMs: number;
  readonly heartbeatAtMs: number;
  /** Since the last heartbeat, by the clock of the store. */
  readonly silentMs: number;
}

/** When a host counts as what; all by the clock of the store. */
export interface HostTimes {
  /** How often an agent is heard when all is well. */
  readonly heartbeatMs: number;
  readonly slowAfterMs: number;
  readonly deadAfterMs: number;
}

/** A question of an agent stands open this long at most, so that no deadline in between ends it: proxies have theirs too. */
const heartbeatMaxMs = 10_000;

/** One setting gives all three: an agent is slow after three lost heartbeats or more, and dead after twelve or more. */
export function hostTimes(deadAfterMs: number): HostTimes {
  const heartbeatMs = Math.min(deadAfterMs / 12, heartbeatMaxMs);
  return { heartbeatMs, slowAfterMs: deadAfterMs / 4, deadAfterMs };
}

export function judgeHost(hasSession: boolean, silentMs: number, times: HostTimes): HostState {
  if (!hasSession) return 'left';
  if (silentMs >= times.deadAfterMs) return 'dead';
  return silentMs >= times.slowAfterMs ? 'slow' : 'alive';
}

/** The resource under which a host's events are counted. */
export function hostResource(hostId: string): string {
  return `host:${hostId}`;
}

/** @throws HoldfastError `invalid` */
export function checkHostName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/.test(name)) return name;
  const message = 'The name of a host consists of up to 253 letters, digits, ".", "_", ":" and "-".';
  throw new HoldfastError('invalid', message, { field: 'name', provided_value: name.slice(0, 300) });
}
