import { startAgent } from '../agent.ts';
import { ApiError } from '../client.ts';
import { httpLink } from '../http-link.ts';
import type { AgentLink } from '../hosts/agent/link.ts';
import type { Config } from '../kernel/config/config.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { createLog } from '../kernel/telemetry/log.ts';
import { type ConnectionOptions, connect } from './connection.ts';

/**
 * Runs the agent of this machine until a signal ends it; resolves when it has left. A server that is away is waited for. Throws
 * what the server said when it does not let this agent in the first time.
 */
export async function agent(config: Config, options: ConnectionOptions): Promise<void> {
  const { values } = config;
  const log = createLog({ level: values.logLevel });
  const { client, output } = connect(options);
  const { link, refused } = telling(httpLink(client));
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    // For good: supervisors send a signal to a process and to its group, and the second one must not cut the leaving short.
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
  const running = await startAgent(values, link, log);
  log.info({ url: client.url, node: running.nodeId }, 'agent started');
  void running.joined.then(() => output.line(`Holdfast agent is ready: host ${running.nodeId}, server ${client.url}`));
  const end = await Promise.race([ended, refused]);
  if (typeof end === 'string') log.info({ signal: end }, 'stopping');
  await running.stop();
  if (typeof end !== 'string') throw end;
  log.info('stopped');
}

/** A link that tells when the server lets nobody in with this token before it ever did: waiting would not help. */
function telling(link: AgentLink): { readonly link: AgentLink; readonly refused: Promise<Error> } {
  const { promise: refused, resolve } = Promise.withResolvers<Error>();
  let isKnown = false;
  const register: AgentLink['register'] = async (registration, signal) => {
    try {
      const session = await link.register(registration, signal);
      isKnown = true;
      return session;
    } catch (error) {
      if (!isKnown && error instanceof HoldfastError && /^(unauthorized|forbidden|invalid)$/.test(error.kind)) {
        resolve(error.cause instanceof ApiError ? error.cause : error);
      }
      throw error;
    }
  };
  return { link: { ...link, register }, refused };
}
