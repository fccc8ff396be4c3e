import type { HostRegistration, HostReport, HostResult, HostSession, HostTake } from '../work.ts';

/**
 * How an agent reaches its server. The agent always begins: nobody reaches into a host. Who the agent is, is the business of
 * the link (a function call in the same process, a token or a certificate over HTTP), so that it can change without the agent.
 *
 * Errors are `HoldfastError`s. A `conflict` with `{reason: 'replaced'}` says that the session is over; one with `{reason:
 * 'alive'}` that another agent speaks for this host.
 */
export interface AgentLink {
  register(registration: HostRegistration, signal: AbortSignal): Promise<HostSession>;
  /**
   * Work that is not in `known`, at once or as soon as there is some, and at the latest after a heartbeat; asking is the
   * heartbeat.
   */
  take(session: HostSession, known: readonly string[], signal: AbortSignal): Promise<HostTake>;
  /** May be repeated: a result that is there stays. */
  report(
    session: HostSession,
    results: readonly HostResult[],
    reports: readonly HostReport[],
    signal: AbortSignal,
  ): Promise<void>;
  /** The agent stops in order. */
  release(session: HostSession, signal: AbortSignal): Promise<void>;
}
