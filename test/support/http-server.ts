import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ByteClient } from '../../src/client-bytes.ts';

/** A server on loopback that answers as a test wants it to, and a client of it; `await using` ends both. */
export async function serving(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly client: ByteClient } & AsyncDisposable> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new ByteClient({ url: `http://127.0.0.1:${port}`, token: 'secret' });
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
