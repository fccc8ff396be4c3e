import { createServer } from 'node:net';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

/** Ports on which daemons may listen: from `first` to `last`, both included. `first` 0: whichever are free. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

const FREE_PORT_ATTEMPTS = 5;

/**
 * The ports to try, in order, bounded. `preferred` comes first: where a daemon listened before, its clients look for it again.
 */
export async function* portsToTry(
  range: PortRange,
  host: string,
  preferred: number | null,
  taken: ReadonlySet<number>,
): AsyncGenerator<number> {
  if (preferred !== null) yield preferred;
  if (range.first === 0) {
    for (let attempt = 0; attempt < FREE_PORT_ATTEMPTS; attempt++) yield await freePort(host);
    return;
  }
  for (let port = range.first; port <= range.last; port++) if (port !== preferred && !taken.has(port)) yield port;
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error) => {
      reject(new HoldfastError('unavailable', `No export can listen on ${host}: ${error.message}.`, {}, error));
    });
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
