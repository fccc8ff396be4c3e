import type { HostService } from '../service.ts';
import type { AgentLink } from './link.ts';

/**
 * The agent in the server's own process. With an embedded store, which one process at a time can have open, the agent before
 * it is known to be no more, so that nobody waits for its silence after a crash.
 */
export function localLink(service: HostService, isOnlyProcess: boolean): AgentLink {
  return {
    register: (registration) => service.admit(registration, isOnlyProcess),
    take: (session, known, signal) => service.take(session, known, signal),
    report: (session, results, reports) => service.report(session, results, reports),
    release: (session) => service.release(session),
  };
}
